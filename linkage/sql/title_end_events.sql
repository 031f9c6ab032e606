-- grain in: one row per event. grain out: the same with route, care, outcome, gaps, municipality and attributes.
-- why: the table that answers the question; also the events taken out, with the reason.
-- source: linkage.md sections 3, 4 and 7.
create table title_end_events as
select
  e.person_id,
  e.chain_begin,
  e.title_end,
  half_name(e.half) as half_year,
  e.status,
  e.titel_groep,
  e.excluded,
  p.linkable,
  coalesce(d.entry_detention, false) as entry_detention,
  coalesce(d.detention_24m, false) as detention_24m,
  c.last_care.care_group as last_care_group,
  c.last_care.care_end as last_care_end,
  coalesce(w.outcome, g.without_wmo) as outcome,
  coalesce(w.thuis, g.without_wmo) as outcome_thuis,
  coalesce(w.opvang, g.without_wmo) as outcome_opvang,
  coalesce(w.outcome = 'START_M90_0' and w.wmo_end <= e.title_end, false) as ended_before,
  w.wmo_start,
  w.wmo_group,
  (w.wmo_start - e.title_end)::integer as gap_title_days,
  (w.wmo_start - c.last_care.care_end)::integer as gap_care_days,
  g.origin as gemeente_origin,
  g.settlement as gemeente_settlement,
  g.delivery as gemeente_delivery,
  g.gemeente,
  g.gemeente_basis,
  g.supra_regional,
  p.geboortejaar,
  p.geslacht,
  coalesce(d.long_detention, false) as long_detention,
  (e.title_end - w.assigned_from)::integer as lead_days,
  r.return_detention,
  r.return_days
from events as e
join persons as p
  on p.person_id = e.person_id
join event_place as g
  on g.person_id = e.person_id
  and g.chain_begin = e.chain_begin
join event_return as r
  on r.person_id = e.person_id
  and r.chain_begin = e.chain_begin
left join event_detention as d
  on d.person_id = e.person_id
  and d.chain_begin = e.chain_begin
left join event_care as c
  on c.person_id = e.person_id
  and c.chain_begin = e.chain_begin
left join event_outcome as w
  on w.person_id = e.person_id
  and w.chain_begin = e.chain_begin
