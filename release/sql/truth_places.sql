-- grain in: planted and observed title ends, coverage. grain out: one row per municipality, the twenty largest.
-- why: what a municipality would read, beside what is true.
-- source: linkage.md section 4.
select
  p.gemeente,
  p.ends,
  coalesce(o.ends, 0),
  p.wmo,
  coalesce(o.wmo, 0),
  c.delivered
from (
  select gemeente, count(*) as ends, count(*) filter (where has_wmo) as wmo
  from planted
  group by gemeente
) as p
left join (
  select coalesce(gemeente, 'ONB') as gemeente, count(*) as ends, count(*) filter (where has_wmo) as wmo
  from observed
  where excluded is null
  group by all
) as o
  on o.gemeente = p.gemeente
left join (
  select gemeente, bool_and(delivered) as delivered
  from coverage
  group by gemeente
) as c
  on c.gemeente = p.gemeente
order by p.ends desc, p.gemeente
limit 20
