-- grain in: one row per delivered ifzo row (of one part, or without identifier). grain out: the same, each with its person.
-- why: placements with what the title and care rules need.
-- source: linkage.md section 7, Persons: rows without any identifier form their own components, by content.
create table ifzo as
with
linked as (
  select
    m.person_id,
    p.* exclude (sequence, row_id)
  from payload_ifzo as p
  join row_keys as k
    on k.register = 'ifzo'
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
  from payload_ifzo as p
  join loose as k
    on k.register = 'ifzo'
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
  e.plaatsing_id::uuid as plaatsing_id,
  e.zorgtype,
  e.titel_code,
  e.titel_begin,
  e.titel_eind,
  e.titel_eind_status,
  e.datum_indicatie,
  e.zorg_begin,
  e.zorg_eind,
  e.reden_einde_zorg
from everyone as e
-- Rows of a person lie together: what goes by ranges of persons then reads those, and not the whole table each time.
order by e.person_id
