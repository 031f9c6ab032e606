-- grain in: one row per register row. grain out: one row per register x year x stratum x value.
-- why: linkage error falls on some groups more than on others; the unlinkable are kept with what is known of them.
-- source: linkage.md sections 1 and 5. Age at the end of the year, in the bands of the Wmo figures of registers.md 6.5.
create table link_strata as
with
told as (
  select 'injus' as register, person_id, year(datum) as year, sector, gemeente_brp as gemeente, null as regio
  from injus
  union
  select 'injus_tbs' as register, person_id, year(datum) as year, 'TBS' as sector, gemeente_verblijf as gemeente, null
  from injus_tbs
  union
  select 'reclassering' as register, person_id, year(datum_verzoek) as year, soort_plaatsing as sector, null, arrondissement
  from reclassering
  union
  select
    'ifzo' as register,
    i.person_id,
    year(coalesce(i.zorg_begin, i.titel_begin, i.datum_indicatie)) as year,
    c.care_group as sector,
    null,
    null
  from ifzo as i
  left join ref_care as c
    on c.zorgtype = i.zorgtype
  union
  select 'gmsd' as register, g.person_id, g.half // 2 as year, w.wmo_group as sector, g.gemeente, null
  from gmsd as g
  left join ref_wmo as w
    on w.productcategorie = g.productcategorie
),
placed as (
  select
    t.register,
    t.person_id,
    t.year::integer as year,
    t.sector,
    coalesce(t.regio, a.naam) as regio
  from told as t
  left join ref_area as a
    on a.niveau = 'veiligheidsregio'
    and a.gemeente = t.gemeente
  where t.year between year($period_from::date) and year($period_until::date)
),
described as (
  select
    t.register,
    t.person_id,
    t.year,
    unnest([
      {'stratum': 'ALLEN', 'value': 'ALLEN'},
      {'stratum': 'geslacht', 'value': coalesce(p.geslacht, 'ONBEKEND')},
      {'stratum': 'leeftijd', 'value': case
        when p.geboortejaar is null then 'ONBEKEND'
        when t.year - p.geboortejaar < 30 then '00-29'
        when t.year - p.geboortejaar < 45 then '30-44'
        when t.year - p.geboortejaar < 60 then '45-59'
        when t.year - p.geboortejaar < 75 then '60-74'
        else '75+'
      end},
      {'stratum': 'sector', 'value': coalesce(t.sector, 'ONBEKEND')},
      {'stratum': 'regio', 'value': coalesce(t.regio, 'ONBEKEND')}
    ]) as cell
  from placed as t
  join persons as p
    on p.person_id = t.person_id
),
cells as (
  select distinct
    register,
    person_id,
    year,
    cell.stratum as stratum,
    cell.value as value
  from described
),
fallen as (
  select distinct person_id, register
  from fallback_person
)
select
  c.register,
  c.year,
  c.stratum,
  c.value,
  count(*) as persons,
  count(*) filter (
    where p.in_injus::integer + p.in_injus_tbs::integer + p.in_reclassering::integer + p.in_ifzo::integer
    + p.in_gmsd::integer > 1
  ) as matched,
  count(*) filter (where not p.linkable) as unlinkable,
  count(*) filter (where f.person_id is not null) as by_fallback
from cells as c
join persons as p
  on p.person_id = c.person_id
left join fallen as f
  on f.person_id = c.person_id
  and f.register = c.register
group by c.register, c.year, c.stratum, c.value
