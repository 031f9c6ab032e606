-- grain in: one row per event x measure. grain out: one row per area x period x characteristic x measure with its quantiles.
-- why: a quantile is a value that occurs: the smallest with at least that share of the events at or below it.
-- source: linkage.md section 3, Continuity.
create table indicator_quantiles as
with
listed as (
  select
    a.niveau,
    a.code,
    d.periode,
    d.kenmerk,
    d.waarde,
    d.maat,
    count(*) as aantal,
    list_sort(list(d.dagen)) as dagen
  from indicator_days as d
  join ref_area as a
    on a.gemeente = d.gemeente
  group by all
)
select
  * exclude (dagen),
  dagen[(aantal * 10 + 99) // 100] as p10,
  dagen[(aantal * 25 + 99) // 100] as p25,
  dagen[(aantal * 50 + 99) // 100] as p50,
  dagen[(aantal * 75 + 99) // 100] as p75,
  dagen[(aantal * 90 + 99) // 100] as p90
from listed
