-- grain in: one row per current row. grain out: the same with one of its keys (type and 16 bytes), both empty without any.
-- why: all identifiers of a row belong to one person, so one key finds the person; kind 4 is a row linked by fallback.
-- source: linkage.md section 7, Persons.
create view row_keys as
select
  l.register,
  l.sequence,
  l.row_id,
  case
    when l.bsn is not null then 1
    when l.skn is not null then 2
    when l.vip is not null then 3
    when f.key is not null then 4
  end::utinyint as kind,
  coalesce(coalesce(l.bsn, l.skn, l.vip)[1:16]::uuid, f.key) as key
from current_links as l
left join fallback_person as f
  on f.register = l.register
  and f.sequence = l.sequence
  and f.row_id = l.row_id
