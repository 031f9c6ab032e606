-- grain in: one row per person x group x half-year. grain out: one row per area x half-year x characteristic x group with a start.
-- why: share of the Wmo inflow with a forensic past, in people; arrangements beside them show the difference.
-- source: linkage.md section 3; definitions in schemas/indicators.py.
create table indicator_inflow as
with
people as (
  select
    i.first_start.gemeente as gemeente,
    i.half,
    i.wmo_group,
    coalesce(p.geslacht, 'ONBEKEND') as geslacht,
    age_band(year(i.first_start.wmo_start) - p.geboortejaar) as leeftijd,
    coalesce(f.care_group, 'GEEN') as zorggroep,
    case when f.detained then 'DETENTIE' else 'GEEN_DETENTIE' end as instroomroute,
    sum(i.arrangementen)::bigint as arrangementen,
    count(*) as personen,
    count(*) filter (where i.is_new) as instroom,
    count(*) filter (where i.is_new and p.linkable) as instroom_koppelbaar,
    count(*) filter (where i.is_new and p.linkable and f.forensic_recent) as forensisch_24m,
    count(*) filter (where i.is_new and p.linkable and f.forensic_ever) as forensisch_ooit,
    count(*) filter (where i.is_new and p.linkable and f.title_near) as na_titeleinde,
    count(*) filter (where i.is_new and p.linkable and f.detained) as detentie_24m
  from inflow_people as i
  join persons as p
    on p.person_id = i.person_id
  left join inflow_past as f
    on f.person_id = i.person_id
    and f.wmo_group = i.wmo_group
    and f.half = i.half
  group by all
),
grouped as (
  select
    * exclude (geslacht, leeftijd, zorggroep, instroomroute),
    unnest([
      {'kenmerk': 'ALLEN', 'waarde': 'ALLEN'},
      {'kenmerk': 'GESLACHT', 'waarde': geslacht},
      {'kenmerk': 'LEEFTIJD', 'waarde': leeftijd},
      {'kenmerk': 'ZORGGROEP', 'waarde': zorggroep},
      {'kenmerk': 'INSTROOMROUTE', 'waarde': instroomroute}
    ], recursive := true)
  from people
),
summed as (
  select
    gemeente,
    half,
    wmo_group,
    kenmerk,
    waarde,
    sum(columns(* exclude (gemeente, half, wmo_group, kenmerk, waarde)))::bigint
  from grouped
  group by all
)
select
  a.niveau,
  a.code,
  half_name(s.half) as periode,
  s.kenmerk,
  s.waarde,
  s.wmo_group,
  sum(columns(s.* exclude (gemeente, half, wmo_group, kenmerk, waarde)))::bigint
from summed as s
join ref_area as a
  on a.gemeente = s.gemeente
group by all
