-- grain in: one row per event and arrangement. grain out: one row per event of a person with an arrangement.
-- why: RUNNING wins, else the earliest start; the nearest arrangement says where to look when none decides.
-- source: linkage.md section 7, Outcome and Municipality. Ties break on content.
create table event_outcome as
with
chosen as (
  select
    person_id,
    chain_begin,
    first(
      {
        'outcome': outcome,
        'wmo_group': wmo_group,
        'wmo_start': wmo_start,
        'wmo_end': wmo_end,
        'assigned_from': assigned_from,
        'delivery': gemeente_delivery,
        'brp': gemeente_brp
      }
      order by
        outcome = 'RUNNING' desc,
        wmo_start,
        runs_until desc,
        wmo_end nulls first,
        wmo_group,
        productcategorie,
        gemeente_delivery,
        gemeente_brp,
        assigned_from
    ) filter (where outcome is not null) as decides,
    first(outcome order by outcome = 'RUNNING' desc, wmo_start)
      filter (where outcome is not null and wmo_group = 'THUIS') as thuis,
    first(outcome order by outcome = 'RUNNING' desc, wmo_start)
      filter (where outcome is not null and wmo_group = 'OPVANG') as opvang,
    first(
      {'delivery': gemeente_delivery, 'brp': gemeente_brp}
      order by
        abs(day_number),
        wmo_start,
        runs_until desc,
        wmo_end nulls first,
        wmo_group,
        productcategorie,
        gemeente_delivery,
        gemeente_brp
    ) as nearest
  from event_wmo
  group by person_id, chain_begin
)
select
  person_id,
  chain_begin,
  decides.outcome as outcome,
  thuis,
  opvang,
  decides.wmo_group as wmo_group,
  decides.wmo_start as wmo_start,
  decides.wmo_end as wmo_end,
  decides.assigned_from as assigned_from,
  case when decides.outcome is not null then decides.delivery else nearest.delivery end as gemeente_delivery,
  case when decides.outcome is not null then decides.brp else nearest.brp end as gemeente_brp
from chosen
