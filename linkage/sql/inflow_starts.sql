-- grain in: one row per arrangement. grain out: one row per person x group (THUIS, OPVANG) x start day in the period.
-- why: inflow of people: somebody who had such support the day before, anywhere, does not flow in but goes on.
-- source: registers.md 0.4 and 11 (arrangements are not people); linkage.md section 3. Intervals are half-open.
create table inflow_starts as
with
days as (
  select
    person_id,
    wmo_group,
    wmo_start,
    max(runs_until) as runs_until,
    min(gemeente_delivery) as gemeente,
    count(*) as arrangementen
  from wmo_arrangements
  where wmo_group in ('THUIS', 'OPVANG')
  group by all
),
judged as (
  select
    *,
    coalesce(max(runs_until) over earlier >= wmo_start, false) as goes_on
  from days
  window earlier as (
    partition by person_id, wmo_group
    order by wmo_start
    rows between unbounded preceding and 1 preceding
  )
)
select
  person_id,
  wmo_group,
  wmo_start,
  half_of(wmo_start) as half,
  gemeente,
  arrangementen,
  not goes_on as is_new
from judged
where wmo_start between $period_from::date and $period_until::date
