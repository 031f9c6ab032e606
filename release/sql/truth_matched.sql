-- grain in: planted and observed title ends. grain out: one row per planted one, with its observed event and the cause of a miss.
-- why: each planted title end with Wmo that the run did not see has one stated cause.
-- source: linkage.md section 5.
create table matched as
with
pairs as (
  select p.planted_id, o.observed_id
  from planted as p
  join observed as o
    on o.title_end = p.title_end
    and o.chain_begin = p.chain_begin
    and o.geboortejaar is not distinct from p.geboortejaar
    and o.geslacht = p.geslacht
),
once as (
  select
    planted_id,
    first(observed_id) as observed_id,
    count(*) as candidates
  from pairs
  group by planted_id
)
select
  p.*,
  o.observed_id,
  o.excluded,
  o.outcome,
  o.has_wmo as seen_wmo,
  coalesce(o.gemeente, 'ONB') as seen_gemeente,
  coalesce(c.delivered, false) as delivered,
  case
    when n.candidates > 1 then 'ambiguous'
    when o.observed_id is null then 'unknown_end'
    when o.excluded is not null then 'excluded'
    when o.has_wmo then 'seen'
    when o.wmo_start is not null then 'late'
    when not coalesce(c.delivered, false) then 'not_delivered'
    else 'not_linked'
  end as cause
from planted as p
left join once as n
  on n.planted_id = p.planted_id
left join observed as o
  on o.observed_id = n.observed_id
  and n.candidates = 1
left join coverage as c
  on c.gemeente = p.gemeente
  and c.half_year = p.half_year
