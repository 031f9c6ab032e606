-- grain in: one row per current row. grain out: one row: rows of a register, and those with a usable identifier.
-- why: row accounting, and how much can be linked at all.
-- source: linkage.md section 5.
select
  count(*) as rows,
  count(*) filter (where bsn is not null or skn is not null or vip is not null) as with_identifier
from current_links
where register = $register
