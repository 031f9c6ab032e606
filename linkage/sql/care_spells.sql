-- grain in: one row per ifzo row. grain out: one row per person x care group x run of touching realised lines.
-- why: only care that began is a placement; lines touch when one begins on or before the end of another.
-- source: linkage.md sections 2 and 7, Title ends; registers.md 0.7: from 2024 on begin and end are mandatory messages.
create table care_spells as
with
lines as (
  select
    i.person_id,
    c.care_group,
    i.zorg_begin,
    coalesce(i.zorg_eind, date '9999-12-31') as zorg_eind
  from ifzo as i
  join ref_care as c
    on c.zorgtype = i.zorgtype
  where i.zorg_begin is not null
    and i.person_id between $first_person::bigint and $last_person::bigint
),
breaks as (
  select
    *,
    coalesce(zorg_begin > max(zorg_eind) over earlier, true) as is_new
  from lines
  window earlier as (
    partition by person_id, care_group
    order by zorg_begin, zorg_eind
    rows between unbounded preceding and 1 preceding
  )
),
numbered as (
  select
    *,
    sum(is_new::integer) over (
      partition by person_id, care_group
      order by zorg_begin, zorg_eind
      rows between unbounded preceding and current row
    ) as spell
  from breaks
)
select
  person_id,
  care_group,
  min(zorg_begin) as care_begin,
  nullif(max(zorg_eind), date '9999-12-31') as care_end,
  count(*)::integer as lines,
  care_begin >= $care_messages_from::date as begin_by_message,
  coalesce(care_end >= $care_messages_from::date, false) as end_by_message
from numbered
group by person_id, care_group, spell
