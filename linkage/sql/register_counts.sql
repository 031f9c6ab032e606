-- grain in: one row per figure. grain out: one row per figure of the plan's period.
-- why: years outside the period are known in part only, and would be read as whole years.
-- source: linkage.md section 5.
create table register_counts as
select
  source,
  indicator,
  breakdown,
  year::varchar as year,
  value
from figures
where year between year($period_from::date) and year($period_until::date)
