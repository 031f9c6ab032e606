-- grain in: one row per event. grain out: one row per event: its characteristics, and a 0 or 1 for everything that is counted.
-- why: each count of schemas/indicators.py is defined here once, and only added up afterwards.
-- source: linkage.md section 3; definitions in docs/codebook/indicatoren.md. Nothing counts of an event taken out but the funnel.
create table indicator_events as
with
known as (
  select
    e.*,
    s.seen_days,
    e.excluded is null as counts,
    e.wmo_start is not null as has_wmo,
    e.outcome in ('RUNNING', 'START_M90_0') as before,
    e.outcome_thuis in ('RUNNING', 'START_M90_0') as thuis_before,
    e.outcome_opvang in ('RUNNING', 'START_M90_0') as opvang_before,
    o.code as region_from,
    v.code as region_to
  from title_end_events as e
  join event_seen as s
    on s.person_id = e.person_id
    and s.chain_begin = e.chain_begin
  left join ref_area as o
    on o.niveau = 'veiligheidsregio'
    and o.gemeente = e.gemeente_origin
  left join ref_area as v
    on v.niveau = 'veiligheidsregio'
    and v.gemeente = case
      when place_rank(e.gemeente_settlement) = 0 then e.gemeente_settlement
      else e.gemeente_delivery
    end
)
select
  person_id,
  half_year,
  coalesce(gemeente, 'ONB') as gemeente,
  coalesce(geslacht, 'ONBEKEND') as geslacht,
  age_band(year(title_end) - geboortejaar) as leeftijd,
  coalesce(last_care_group, 'GEEN') as zorggroep,
  case when entry_detention then 'DETENTIE' else 'GEEN_DETENTIE' end as instroomroute,
  counts as in_scope,
  case when counts and has_wmo then gap_title_days end as kloof_titel,
  case when counts and has_wmo then gap_care_days end as kloof_zorg,
  case when counts and has_wmo then lead_days end as voorsprong,
  1 as gevonden,
  (excluded is not distinct from 'NO_REALISED_CARE')::integer as zonder_zorg,
  (excluded is not distinct from 'OVERLIJDEN')::integer as overleden,
  (excluded is not distinct from 'UITZETTING')::integer as uitgezet,
  counts::integer as titel_eindes,
  (counts and status = 'VOORLOPIG')::integer as voorlopig,
  (counts and linkable)::integer as koppelbaar,
  (counts and gemeente is not null and place_rank(gemeente) = 0)::integer as gemeente_bekend,
  (counts and outcome = 'RUNNING')::integer as liep_al,
  (counts and outcome = 'START_M90_0')::integer as start_voor,
  (counts and outcome = 'START_0_30')::integer as start_0_30,
  (counts and outcome = 'START_30_90')::integer as start_30_90,
  (counts and outcome = 'START_90_180')::integer as start_90_180,
  (counts and outcome = 'START_180_365')::integer as start_180_365,
  (counts and outcome = 'NONE')::integer as geen_wmo,
  (counts and outcome = 'CENSORED')::integer as gecensureerd,
  (counts and outcome = 'NOT_OBSERVABLE')::integer as niet_geleverd,
  (counts and outcome = 'NO_MUNICIPALITY')::integer as geen_gemeente,
  (counts and before)::integer as wmo_voor,
  (counts and (before or outcome = 'START_0_30'))::integer as wmo_30,
  (counts and (before or outcome in ('START_0_30', 'START_30_90')))::integer as wmo_90,
  (counts and (before or outcome in ('START_0_30', 'START_30_90', 'START_90_180')))::integer as wmo_180,
  (counts and has_wmo)::integer as wmo_365,
  (counts and (before or outcome = 'START_0_30' or seen_days > $window_1_days::integer))::integer as gevolgd_30,
  (counts and (before or outcome in ('START_0_30', 'START_30_90') or seen_days > $window_2_days::integer))::integer
    as gevolgd_90,
  (
    counts
    and (
      before
      or outcome in ('START_0_30', 'START_30_90', 'START_90_180')
      or seen_days > $headline_days::integer
    )
  )::integer as gevolgd_180,
  (counts and (has_wmo or seen_days > $follow_up_days::integer))::integer as gevolgd_365,
  (counts and thuis_before)::integer as thuis_voor,
  (counts and (thuis_before or outcome_thuis in ('START_0_30', 'START_30_90', 'START_90_180')))::integer as thuis_180,
  (counts and (thuis_before or outcome_thuis like 'START%'))::integer as thuis_365,
  (counts and opvang_before)::integer as opvang_voor,
  (counts and (opvang_before or outcome_opvang in ('START_0_30', 'START_30_90', 'START_90_180')))::integer as opvang_180,
  (counts and (opvang_before or outcome_opvang like 'START%'))::integer as opvang_365,
  (counts and has_wmo and gap_title_days <= 0)::integer as aansluitend_titel,
  (counts and has_wmo and gap_care_days is not null)::integer as kloof_zorg_bekend,
  (counts and has_wmo and coalesce(gap_care_days <= 0, false))::integer as aansluitend_zorg,
  (counts and has_wmo and lead_days >= $lead_least_days::integer)::integer as toegewezen_6_weken,
  (counts and has_wmo and lead_days >= $lead_wanted_days::integer)::integer as toegewezen_1_jaar,
  (counts and entry_detention)::integer as via_detentie,
  (counts and detention_24m)::integer as detentie_24m,
  (counts and long_detention)::integer as lange_detentie,
  (counts and return_detention in ('RETURN', 'NONE'))::integer as terug_gevolgd,
  (counts and return_detention = 'RETURN')::integer as terug_24m,
  (counts and region_from is not null and region_to is not null)::integer as regio_bekend,
  (counts and supra_regional)::integer as bovenregionaal
from known
