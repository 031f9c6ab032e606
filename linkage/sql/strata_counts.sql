-- grain in: one row per register row (of a range of persons). grain out: one row per range x register x year x stratum x value.
-- why: telling people apart holds a row of each; whoever is in one range is in no other, so that counts of ranges add up.
-- source: linkage.md sections 1 and 5. Age at the end of the year, in the bands of the Wmo figures of registers.md 6.5.
create table strata_counts as
with
told as (
  select 'injus' as register, person_id, year(datum) as year, sector, gemeente_brp as gemeente, null as regio
  from injus
  union all
  select 'injus_tbs' as register, person_id, year(datum) as year, 'TBS' as sector, gemeente_verblijf as gemeente, null
  from injus_tbs
  union all
  select 'reclassering' as register, person_id, year(datum_verzoek) as year, soort_plaatsing as sector, null, arrondissement
  from reclassering
  union all
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
  union all
  select 'gmsd' as register, g.person_id, g.half // 2 as year, w.wmo_group as sector, g.gemeente, null
  from gmsd as g
  left join ref_wmo as w
    on w.productcategorie = g.productcategorie
),
fallen as (
  select distinct person_id, register
  from fallback_person
),
people as (
  select
    *,
    in_injus::integer + in_injus_tbs::integer + in_reclassering::integer + in_ifzo::integer + in_gmsd::integer > 1
    as is_matched
  from persons
  where person_id between $first_person::bigint and $last_person::bigint
),
held as (
  select
    r.register,
    r.person_id,
    r.year,
    coalesce(p.geslacht, 'ONBEKEND') as geslacht,
    case
      when p.geboortejaar is null then 'ONBEKEND'
      when r.year - p.geboortejaar < 30 then '00-29'
      when r.year - p.geboortejaar < 45 then '30-44'
      when r.year - p.geboortejaar < 60 then '45-59'
      when r.year - p.geboortejaar < 75 then '60-74'
      else '75+'
    end as leeftijd,
    p.is_matched,
    not p.linkable as is_unlinkable,
    f.person_id is not null as is_fallen
  from presence as r
  join people as p
    on p.person_id = r.person_id
  left join fallen as f
    on f.person_id = r.person_id
    and f.register = r.register
  where r.year between year($period_from::date) and year($period_until::date)
    and r.person_id between $first_person::bigint and $last_person::bigint
),
-- Age and sex are facts of the person; sector and region are of the row, so that one person can be in several.
by_row as (
  select distinct register, person_id, year::integer as year, 'sector' as stratum, coalesce(sector, 'ONBEKEND') as value
  from told
  where person_id between $first_person::bigint and $last_person::bigint
  union all
  select distinct t.register, t.person_id, t.year::integer, 'regio', coalesce(t.regio, a.naam, 'ONBEKEND')
  from told as t
  left join ref_area as a
    on a.niveau = 'veiligheidsregio'
    and a.gemeente = t.gemeente
  where t.person_id between $first_person::bigint and $last_person::bigint
)
select
  register,
  year,
  case
    when grouping(geslacht) = 0 then 'geslacht'
    when grouping(leeftijd) = 0 then 'leeftijd'
    else 'ALLEN'
  end as stratum,
  coalesce(geslacht, leeftijd, 'ALLEN') as value,
  count(*) as persons,
  count(*) filter (where is_matched) as matched,
  count(*) filter (where is_unlinkable) as unlinkable,
  count(*) filter (where is_fallen) as by_fallback
from held
group by grouping sets ((register, year), (register, year, geslacht), (register, year, leeftijd))
union all
select
  c.register,
  c.year,
  c.stratum,
  c.value,
  count(*),
  count(*) filter (where p.is_matched),
  count(*) filter (where not p.linkable),
  count(*) filter (where f.person_id is not null)
from by_row as c
join people as p
  on p.person_id = c.person_id
left join fallen as f
  on f.person_id = c.person_id
  and f.register = c.register
where c.year between year($period_from::date) and year($period_until::date)
group by c.register, c.year, c.stratum, c.value
