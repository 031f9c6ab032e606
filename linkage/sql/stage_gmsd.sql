-- grain in: one row per delivered gmsd row (of one part, or without identifier). grain out: the same, each with its person.
-- why: half-year records with municipalities in one classification, before anything is merged.
-- source: linkage.md section 7, Persons: rows without any identifier form their own components, by content.
create table gmsd as
with
linked as (
  select
    m.person_id,
    p.* exclude (sequence, row_id)
  from payload_gmsd as p
  join row_keys as k
    on k.register = 'gmsd'
    and k.sequence = p.sequence
    and k.row_id = p.row_id
  join key_person as m
    on m.kind = k.kind
    and m.key = k.key
  where p.sequence between $first_sequence::integer and $last_sequence::integer
    and k.sequence between $first_sequence::integer and $last_sequence::integer
    and p.row_id between $first_row::blob and $last_row::blob
    and k.row_id between $first_row::blob and $last_row::blob
),
unlinked as (
  select p.* exclude (sequence, row_id)
  from payload_gmsd as p
  join loose as k
    on k.register = 'gmsd'
    and k.sequence = p.sequence
    and k.row_id = p.row_id
  where $unlinked::boolean
),
everyone as (
  select *
  from linked
  union all
  select
    $first_free + row_number() over (order by u) - 1 as person_id,
    u.*
  from unlinked as u
)
select
  e.person_id,
  e.geboortejaar,
  e.geslacht,
  half_number(e.verslagperiode) as half,
  g.gemeente,
  b.gemeente as gemeente_brp,
  e.toewijzingsnummer::uuid as nummer,
  e.productcategorie,
  e.leveringsvorm,
  e.ingangsdatum as assigned_from,
  coalesce(e.datum_start, e.ingangsdatum) as wmo_start,
  e.datum_einde as wmo_end,
  e.reden_beeindiging
from everyone as e
left join ref_gemeente as g
  on g.code = e.gemeentecode
left join ref_gemeente as b
  on b.code = e.gemeentecode_brp
-- Rows of a person lie together: what goes by ranges of persons then reads those, and not the whole table each time.
order by e.person_id
