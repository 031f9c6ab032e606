-- grain in: persons, links and events. grain out: one row per measure.
-- why: merges and conflicts are kept and counted, with what taking conflicts out would change.
-- source: linkage.md sections 1 and 5.
create table person_quality as
with
people as (
  select
    count(*) as persons,
    count(*) filter (where not linkable) as unlinkable,
    count(*) filter (where bsn_count > 1) as merged_bsn,
    count(*) filter (where skn_count > 1) as merged_skn,
    count(*) filter (where vip_count > 1) as merged_vip,
    count(*) filter (where conflict_geboortejaar) as conflict_birth_year,
    count(*) filter (where conflict_geslacht) as conflict_sex,
    count(*) filter (where conflict_geboortejaar or conflict_geslacht) as conflict_any
  from persons
),
tied as (
  select
    count(distinct person_id) filter (where basis = 'FALLBACK') as by_fallback,
    count(distinct person_id) filter (where basis = 'CROSSWALK') as by_crosswalk
  from register_links
),
touched as (
  select
    count(*) as conflict_events,
    count(*) filter (where e.outcome in ('RUNNING', 'START_M90_0', 'START_0_30', 'START_30_90', 'START_90_180'))
      as conflict_events_wmo
  from title_end_events as e
  join persons as p
    on p.person_id = e.person_id
  where (p.conflict_geboortejaar or p.conflict_geslacht)
    and (e.excluded is null or e.excluded = 'CONFLICT')
),
wide as (
  select *
  from people, tied, touched
)
unpivot wide
on columns(*)
into
  name measure
  value n
