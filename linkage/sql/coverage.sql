-- grain in: one row per arrangement and per delivered half-year. grain out: one row per municipality x half-year.
-- why: what could be seen where; a contract round booked as outflow and inflow shows as a large difference.
-- source: linkage.md section 5; suspicious from a factor 2.5 on, and at least 20.
create table coverage as
with
flows as (
  select gemeente_delivery as gemeente, half_of(wmo_start) as half, count(*) as inflow, 0 as outflow
  from wmo_arrangements
  where wmo_group in ('THUIS', 'OPVANG')
  group by all
  union all
  select gemeente_delivery as gemeente, half_of(wmo_end) as half, 0 as inflow, count(*) as outflow
  from wmo_arrangements
  where wmo_group in ('THUIS', 'OPVANG')
    and wmo_end is not null
  group by all
),
summed as (
  select gemeente, half, sum(inflow)::bigint as inflow, sum(outflow)::bigint as outflow
  from flows
  group by all
)
select
  a.gemeente,
  p.half_year,
  coalesce(c.delivered, false) as delivered,
  s.status,
  coalesce(f.inflow, 0) as inflow,
  coalesce(f.outflow, 0) as outflow,
  greatest(f.inflow, f.outflow) is not null
  and greatest(f.inflow, f.outflow) >= $suspicious_least::integer
  and greatest(f.inflow, f.outflow) * 10 >= least(f.inflow, f.outflow) * $suspicious_tenths::integer as suspicious
from ref_area as a
cross join ref_period as p
left join coverage_delivered as c
  on c.gemeente = a.gemeente
  and c.half = p.half
left join ref_status as s
  on s.status_rank = c.status_rank
left join summed as f
  on f.gemeente = a.gemeente
  and f.half = p.half
where a.niveau = 'veiligheidsregio'
