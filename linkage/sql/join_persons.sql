-- grain in: one row per key, and the person of each key number (of one range). grain out: one row per key of a person in a register.
-- why: the one table by which rows find their person; keys that only the crosswalk knows are nobody.
-- source: linkage.md section 7, Persons. A range of numbers on either side: a join by place instead of by hash.
create table key_person as
select
  k.kind,
  k.key,
  m.person_id
from keys as k
join members as m
  on m.number = k.number
where m.person_id >= 0
  and k.number between $first_node::integer and $last_node::integer
  and m.number between $first_node::integer and $last_node::integer
