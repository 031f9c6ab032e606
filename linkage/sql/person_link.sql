-- grain in: one row per linkable person with its lowest key number (of one range). grain out: the same with its link pseudonym.
-- why: the converter makes the recipient's pseudonym from it; nobody else gets this table.
-- source: linkage.md section 7, Persons. A range of numbers on either side: a join by place instead of by hash.
create table person_root as
select
  l.person_id,
  k.key::blob || k.rest::blob as link,
  l.bsn_count,
  l.skn_count,
  l.vip_count
from lowest as l
join keys as k
  on k.number = l.number
where k.number between $first_node::integer and $last_node::integer
  and l.number between $first_node::integer and $last_node::integer
