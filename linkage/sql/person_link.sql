-- grain in: one row per key. grain out: one row per linkable person with its lowest link pseudonym.
-- why: the converter makes the recipient's pseudonym from it; nobody else gets this table.
-- source: linkage.md section 7, Persons.
create table person_root as
select
  m.person_id,
  arg_min(k.key, k.number)::blob || arg_min(k.rest, k.number)::blob as link,
  count(*) filter (where k.kind = 1)::integer as bsn_count,
  count(*) filter (where k.kind = 2)::integer as skn_count,
  count(*) filter (where k.kind = 3)::integer as vip_count
from members as m
join keys as k
  on k.number = m.number
where m.person_id >= 0
group by m.person_id
