-- grain in: one row per chain. grain out: one row per person x known title end in the period, with why it is taken out.
-- why: the unit of analysis; an unknown end is no event, an event taken out stays visible with its reason.
-- source: linkage.md sections 3 and 7, Title ends.
create table events as
with
gone as (
  select
    c.person_id,
    c.chain_begin,
    bool_or(d.kind = 'OVERLIJDEN' and d.day <= c.title_end) as died,
    bool_or(d.kind = 'UITZETTING' and d.day between c.chain_begin and c.title_end) as deported
  from title_chains as c
  join departures as d
    on d.person_id = c.person_id
  group by all
)
select
  c.person_id,
  c.chain_begin,
  c.title_end,
  half_of(c.title_end) as half,
  c.status,
  c.titel_groep,
  case
    when not c.realised then 'NO_REALISED_CARE'
    when g.died then 'OVERLIJDEN'
    when g.deported then 'UITZETTING'
    when $conflict_rule = 'EXCLUDE' and (p.conflict_geboortejaar or p.conflict_geslacht) then 'CONFLICT'
  end as excluded
from title_chains as c
join persons as p
  on p.person_id = c.person_id
left join gone as g
  on g.person_id = c.person_id
  and g.chain_begin = c.chain_begin
where c.title_end between $period_from::date and $period_until::date
