-- grain in: one row per event x measure. grain out: one row per area x period x characteristic x measure x class with an event.
-- why: continuity gap and lead time in classes that show six weeks and one year.
-- source: linkage.md section 3, Continuity; classes in schemas/indicators.py.
create table indicator_spread as
with
summed as (
  select
    d.gemeente,
    d.periode,
    d.kenmerk,
    d.waarde,
    d.maat,
    k.volgorde,
    k.klasse,
    count(*) as aantal
  from indicator_days as d
  join ref_klasse as k
    on k.maat = d.maat
    and d.dagen >= k.vanaf
    and d.dagen < k.tot
  group by all
)
select
  a.niveau,
  a.code,
  s.periode,
  s.kenmerk,
  s.waarde,
  s.maat,
  s.volgorde,
  s.klasse,
  sum(s.aantal)::bigint as aantal
from summed as s
join ref_area as a
  on a.gemeente = s.gemeente
group by all
