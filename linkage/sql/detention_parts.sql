-- grain in: one row per notice. grain out: one row per person x sector x detentie_id.
-- why: begin and end notices of one detentie_id are one stay; a begin after the last end leaves it open.
-- source: linkage.md sections 2 and 7, Detention. Leave is not an end.
create table detention_parts as
with
days as (
  select
    person_id,
    sector,
    detentie_id,
    min(datum) filter (where soort_melding = 'BEGIN_DETENTIE') as first_begin,
    max(datum) filter (where soort_melding = 'BEGIN_DETENTIE') as last_begin,
    max(datum) filter (where soort_melding = 'EINDE_DETENTIE') as last_end
  from injus
  where soort_melding <> 'VERLOF'
    and person_id between $first_person::bigint and $last_person::bigint
  group by all
),
paired as (
  select
    person_id,
    sector,
    detentie_id,
    first_begin as part_begin,
    case when last_begin > last_end then null else last_end end as part_end
  from days
),
breaks as (
  select
    *,
    part_begin is null
    or coalesce(
      part_begin > max(coalesce(part_end, part_begin)) over earlier + $transfer_gap_days::integer,
      true
    ) as is_new
  from paired
  window earlier as (
    partition by person_id, sector, part_begin is null
    order by part_begin, part_end, detentie_id
    rows between unbounded preceding and 1 preceding
  )
)
select
  person_id,
  sector,
  detentie_id,
  part_begin,
  part_end,
  sum(is_new::integer) over (
    partition by person_id, sector, part_begin is null
    order by part_begin, part_end, detentie_id
    rows between unbounded preceding and current row
  ) as spell
from breaks
