-- grain in: one row per notice, and the spell of each detentie_id. grain out: one row per detention spell.
-- why: a transfer is not a new detention; what stays without begin or end stays, visible as an empty day.
-- source: linkage.md sections 2, 4 and 7, Detention and Municipality.
create table detention_spells as
with
spans as (
  select
    person_id,
    sector,
    part_begin is null as without_begin,
    spell,
    min(part_begin) as detention_begin,
    max(part_end) as last_end,
    max(part_begin) filter (where part_end is null) as last_open,
    count(*)::integer as parts
  from detention_parts
  group by all
),
told as (
  select
    p.person_id,
    p.sector,
    p.part_begin is null as without_begin,
    p.spell,
    first(n.gemeente_brp order by n.datum, place_rank(n.gemeente_brp), n.gemeente_brp)
      filter (where n.soort_melding = 'BEGIN_DETENTIE') as gemeente_begin,
    first(n.gemeente_vestiging order by n.datum desc, place_rank(n.gemeente_vestiging), n.gemeente_vestiging)
      filter (where n.soort_melding = 'EINDE_DETENTIE') as gemeente_settlement,
    first(n.verblijfstitel order by n.datum, n.soort_melding, n.verblijfstitel) as verblijfstitel,
    first(n.reden_einde order by n.datum desc, n.reden_einde nulls last)
      filter (where n.soort_melding = 'EINDE_DETENTIE') as reden_einde
  from detention_parts as p
  join injus as n
    on n.person_id = p.person_id
    and n.sector = p.sector
    and n.detentie_id = p.detentie_id
  where n.soort_melding <> 'VERLOF'
    and n.person_id between $first_person::bigint and $last_person::bigint
  group by all
)
select
  s.person_id,
  s.sector,
  s.detention_begin,
  case when s.last_end is null or s.last_open >= s.last_end then null else s.last_end end as detention_end,
  s.parts,
  t.gemeente_begin,
  t.gemeente_settlement,
  t.verblijfstitel,
  t.reden_einde
from spans as s
join told as t
  on t.person_id = s.person_id
  and t.sector = s.sector
  and t.without_begin = s.without_begin
  and t.spell = s.spell
