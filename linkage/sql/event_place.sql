-- grain in: one row per event. grain out: the same with its municipalities and whether the Wmo could be seen there.
-- why: the first in the plan's order (settlement, origin, BRP, delivery); a usable code anywhere goes before 0000 and 1999.
-- source: linkage.md sections 4 and 7, Municipality; NOT_OBSERVABLE and CENSORED of section 7, Outcome.
create table event_place as
with
known as (
  select
    e.person_id,
    e.chain_begin,
    e.title_end,
    d.last_spell.origin as origin,
    d.last_spell.settlement as settlement,
    w.gemeente_brp as brp,
    w.gemeente_delivery as delivery,
    w.person_id is not null as has_wmo
  from events as e
  left join event_detention as d
    on d.person_id = e.person_id
    and d.chain_begin = e.chain_begin
  left join event_outcome as w
    on w.person_id = e.person_id
    and w.chain_begin = e.chain_begin
),
options as (
  select
    person_id,
    chain_begin,
    unnest([
      {'basis': 'SETTLEMENT', 'gemeente': settlement},
      {'basis': 'ORIGIN', 'gemeente': origin},
      {'basis': 'BRP', 'gemeente': brp},
      {'basis': 'DELIVERY', 'gemeente': delivery}
    ]) as place
  from known
),
chosen as (
  select
    o.person_id,
    o.chain_begin,
    first(o.place order by place_rank(o.place.gemeente), r.place_order) as place
  from options as o
  join ref_place_order as r
    on r.basis = o.place.basis
  group by all
),
placed as (
  select
    k.*,
    c.place.basis as first_basis,
    c.place.gemeente as gemeente
  from known as k
  join chosen as c
    on c.person_id = k.person_id
    and c.chain_begin = k.chain_begin
),
seen as (
  select
    p.person_id,
    p.chain_begin,
    bool_and(coalesce(c.delivered, false)) as delivered
  from placed as p
  join ref_half as h
    on h.first_day <= p.title_end + $headline_days::integer
    and h.next_day > p.title_end
  left join coverage_delivered as c
    on c.half = h.half
    and c.gemeente = p.gemeente
  group by all
)
select
  p.person_id,
  p.chain_begin,
  p.origin,
  p.settlement,
  p.delivery,
  p.gemeente,
  case when p.gemeente is null then 'NONE' else p.first_basis end as gemeente_basis,
  coalesce(o.code <> s.code, false) as supra_regional,
  case
    when place_rank(p.gemeente) > 0 and not p.has_wmo then 'NO_MUNICIPALITY'
    when not s2.delivered then 'NOT_OBSERVABLE'
    when p.title_end + $headline_days::integer > $coverage_until::date then 'CENSORED'
    else 'NONE'
  end as without_wmo
from placed as p
left join ref_area as o
  on o.niveau = 'veiligheidsregio'
  and o.gemeente = p.origin
left join ref_area as s
  on s.niveau = 'veiligheidsregio'
  and s.gemeente = case when place_rank(p.settlement) = 0 then p.settlement else p.delivery end
left join seen as s2
  on s2.person_id = p.person_id
  and s2.chain_begin = p.chain_begin
