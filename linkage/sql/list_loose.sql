-- grain in: one row per current row. grain out: one row per row without any number and without a fallback link.
-- why: rows that are nobody's; few, so that they can be numbered by content together, while the others go in parts.
-- source: linkage.md section 7, Persons.
create table loose as
select
  register,
  sequence,
  row_id
from row_keys
where kind is null
