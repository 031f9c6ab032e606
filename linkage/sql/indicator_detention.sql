-- grain in: one row per detention spell that ended in the period. grain out: one row per area x period x characteristic with an end.
-- why: after four months in detention a home is easily lost; counted in people, at the municipality of their last end.
-- source: linkage.md sections 2 and 4 (settlement, else origin); registers.md section 8. A spell without begin has no length.
create table indicator_detention as
with
ends as (
  select
    d.person_id,
    d.detention_end,
    case
      when place_rank(d.gemeente_settlement) <= place_rank(d.gemeente_begin) then d.gemeente_settlement
      else d.gemeente_begin
    end as place,
    d.detention_begin is not null as begin_known,
    coalesce(
      d.detention_end > (d.detention_begin + to_months($long_detention_months::integer))::date,
      false
    ) as is_long,
    unnest([half_name(half_of(d.detention_end)), year(d.detention_end)::varchar]) as periode
  from detention_spells as d
  where d.detention_end between $period_from::date and $period_until::date
),
people as (
  select
    e.person_id,
    e.periode,
    coalesce(first(e.place order by e.detention_end desc, place_rank(e.place), e.place), 'ONB') as gemeente,
    max(year(e.detention_end)) as year,
    count(*) as einden,
    count(*) filter (where e.begin_known) as begin_bekend,
    count(*) filter (where e.is_long) as langer_4m,
    1 as personen,
    bool_or(e.begin_known)::integer as personen_bekend,
    bool_or(e.is_long)::integer as personen_4m
  from ends as e
  group by all
),
grouped as (
  select
    p.* exclude (person_id, year),
    unnest([
      {'kenmerk': 'ALLEN', 'waarde': 'ALLEN'},
      {'kenmerk': 'GESLACHT', 'waarde': coalesce(w.geslacht, 'ONBEKEND')},
      {'kenmerk': 'LEEFTIJD', 'waarde': age_band(p.year - w.geboortejaar)}
    ], recursive := true)
  from people as p
  join persons as w
    on w.person_id = p.person_id
),
summed as (
  select
    gemeente,
    periode,
    kenmerk,
    waarde,
    sum(columns(* exclude (gemeente, periode, kenmerk, waarde)))::bigint
  from grouped
  group by all
)
select
  a.niveau,
  a.code,
  s.periode,
  s.kenmerk,
  s.waarde,
  sum(columns(s.* exclude (gemeente, periode, kenmerk, waarde)))::bigint
from summed as s
join ref_area as a
  on a.gemeente = s.gemeente
group by all
