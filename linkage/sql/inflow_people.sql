-- grain in: one row per person x group x start day. grain out: one row per person x group x half-year, at the first new start.
-- why: a person counts once per half-year, in one municipality: so municipalities add up to regions.
-- source: linkage.md section 3; the municipality is the one that delivers (linkage.md section 4).
create table inflow_people as
-- The order is one number (new first, then the day): an ordered aggregate would hold every start in memory.
select
  person_id,
  wmo_group,
  half,
  sum(arrangementen)::bigint as arrangementen,
  bool_or(is_new) as is_new,
  arg_min(
    {'wmo_start': wmo_start, 'gemeente': gemeente},
    if(is_new, 0, 10000000) + (wmo_start - date '1900-01-01')
  ) as first_start
from inflow_starts
group by all
