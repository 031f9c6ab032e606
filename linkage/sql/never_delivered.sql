-- grain in: one row per municipality x half-year. grain out: one row: municipalities that delivered nothing at all.
-- why: the report counts them, so the run does too.
-- source: registers.md 6.1.
select count(*) as n
from (
  select gemeente
  from coverage
  group by gemeente
  having not bool_or(delivered)
)
