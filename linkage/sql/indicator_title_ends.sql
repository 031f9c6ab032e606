-- grain in: one row per event x period x characteristic. grain out: one row per area x period x characteristic with a title end.
-- why: the counts of the question, for municipality and region; persons apart, for one person can have two title ends.
-- source: linkage.md sections 3 and 4; definitions in schemas/indicators.py.
create table indicator_title_ends as
with
summed as (
  select
    gemeente,
    periode,
    kenmerk,
    waarde,
    sum(columns(* exclude (
      person_id, gemeente, periode, kenmerk, waarde, in_scope, kloof_titel, kloof_zorg, voorsprong
    )))::bigint
  from indicator_groups
  group by all
),
people as (
  select
    a.niveau,
    a.code,
    g.periode,
    g.kenmerk,
    g.waarde,
    count(distinct g.person_id) as personen
  from indicator_groups as g
  join ref_area as a
    on a.gemeente = g.gemeente
  where g.in_scope
  group by all
),
areas as (
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
)
select
  t.*,
  coalesce(p.personen, 0) as personen
from areas as t
left join people as p
  on p.niveau = t.niveau
  and p.code = t.code
  and p.periode = t.periode
  and p.kenmerk = t.kenmerk
  and p.waarde = t.waarde
