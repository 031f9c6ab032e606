-- grain in: one row per gmsd row. grain out: one row per municipality x calendar year with a row without a number.
-- why: CBS merges by number only where the municipality gave every row one in the whole year.
-- source: registers.md 6.3; linkage.md section 7, GMSD.
create table unnumbered_years as
select distinct
  gemeente,
  half // 2 as jaar
from gmsd
where nummer is null
