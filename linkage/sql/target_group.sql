-- grain in: one row per event. grain out: one row per level x area x half-year x measure, zeros included.
-- why: persons with a title end in scope, as observed; 0000, 1999 and ONB are rows of their own and count for the country.
-- source: linkage.md sections 3, 4 and 7; measures in schemas/target_group.py (MATEN).
create table target_group as
with
measured as (
  select
    person_id,
    half_year,
    coalesce(gemeente, 'ONB') as gemeente,
    unnest([
      'titel_eindes',
      case
        when outcome in ('RUNNING', 'START_M90_0', 'START_0_30', 'START_30_90', 'START_90_180') then 'wmo_180'
      end,
      case
        when outcome not in ('NONE', 'CENSORED', 'NOT_OBSERVABLE', 'NO_MUNICIPALITY') then 'wmo_365'
      end,
      case when outcome = 'RUNNING' then 'wmo_liep_al' end,
      case
        when outcome_thuis in ('RUNNING', 'START_M90_0', 'START_0_30', 'START_30_90', 'START_90_180')
          then 'wmo_thuis_180'
      end,
      case
        when outcome_opvang in ('RUNNING', 'START_M90_0', 'START_0_30', 'START_30_90', 'START_90_180')
          then 'wmo_opvang_180'
      end,
      case when entry_detention then 'met_detentie' end,
      case when outcome in ('CENSORED', 'NOT_OBSERVABLE', 'NO_MUNICIPALITY') then 'niet_waarneembaar' end
    ]) as maat
  from title_end_events
  where excluded is null
),
counted as (
  select
    a.niveau,
    a.code,
    m.half_year,
    m.maat,
    count(distinct m.person_id) as aantal
  from measured as m
  join ref_area as a
    on a.gemeente = m.gemeente
  where m.maat is not null
  group by all
),
delivered as (
  select
    a.niveau,
    a.code,
    p.half_year,
    bool_and(c.delivered) as gmsd_geleverd
  from ref_area as a
  join coverage_delivered as c
    on c.gemeente = a.gemeente
  join ref_period as p
    on p.half = c.half
  group by all
),
areas as (
  select distinct niveau, code, naam
  from ref_area
)
select
  a.niveau,
  a.code,
  a.naam,
  p.half_year as halfjaar,
  m.maat,
  coalesce(c.aantal, 0) as aantal,
  coalesce(d.gmsd_geleverd, false) as gmsd_geleverd
from areas as a
cross join ref_period as p
cross join ref_measure as m
left join counted as c
  on c.niveau = a.niveau
  and c.code = a.code
  and c.half_year = p.half_year
  and c.maat = m.maat
left join delivered as d
  on d.niveau = a.niveau
  and d.code = a.code
  and d.half_year = p.half_year
