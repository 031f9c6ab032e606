-- grain in: one row per current row. grain out: the same with one of its keys (type and 16 bytes), both empty without any.
-- why: all identifiers of a row belong to one person, so one key finds the person.
-- source: linkage.md section 7, Persons.
create view row_keys as
select
  register,
  sequence,
  row_id,
  case
    when bsn is not null then 1
    when skn is not null then 2
    when vip is not null then 3
  end::utinyint as kind,
  coalesce(bsn, skn, vip)[1:16]::uuid as key
from current_links
