-- grain in: one row per event. grain out: the same with its municipalities and whether the Wmo could be seen there.
-- why: settlement, origin, BRP, delivery in that order; a usable code anywhere goes before 0000 and 1999.
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
    w.person_id is not null as has_wmo,
    case least(place_rank(settlement), place_rank(origin), place_rank(brp), place_rank(delivery))
      when place_rank(settlement) then 'SETTLEMENT'
      when place_rank(origin) then 'ORIGIN'
      when place_rank(brp) then 'BRP'
      else 'DELIVERY'
    end as first_basis
  from events as e
  left join event_detention as d
    on d.person_id = e.person_id
    and d.chain_begin = e.chain_begin
  left join event_outcome as w
    on w.person_id = e.person_id
    and w.chain_begin = e.chain_begin
),
placed as (
  select
    *,
    case first_basis
      when 'SETTLEMENT' then settlement
      when 'ORIGIN' then origin
      when 'BRP' then brp
      else delivery
    end as gemeente
  from known
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
