-- grain in: planted and observed title ends. grain out: one row per half-year.
-- why: later half-years miss more, since their follow-up is shorter.
-- source: linkage.md section 5.
select
  p.half_year,
  p.ends,
  o.ends,
  p.wmo,
  o.wmo
from (
  select half_year, count(*) as ends, count(*) filter (where has_wmo) as wmo
  from planted
  group by half_year
) as p
left join (
  select half_year, count(*) as ends, count(*) filter (where has_wmo) as wmo
  from observed
  where excluded is null
  group by half_year
) as o
  on o.half_year = p.half_year
order by p.half_year
