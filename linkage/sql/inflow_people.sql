-- grain in: one row per person x group x start day. grain out: one row per person x group x half-year, at the first new start.
-- why: a person counts once per half-year, in one municipality: so municipalities add up to regions.
-- source: linkage.md section 3; the municipality is the one that delivers (linkage.md section 4).
create table inflow_people as
select
  person_id,
  wmo_group,
  half,
  sum(arrangementen)::bigint as arrangementen,
  bool_or(is_new) as is_new,
  first(
    {'wmo_start': wmo_start, 'gemeente': gemeente}
    order by is_new desc, wmo_start
  ) as first_start
from inflow_starts
group by all
