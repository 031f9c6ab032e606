-- grain in: one row per event and later detention spell of the person. grain out: one row per event.
-- why: return to detention within 24 months, half-open; only a begin notice tells of a return, no register tells of a conviction.
-- source: linkage.md sections 3 and 7, Detention. What lies beyond the coverage is censored; without a number nobody can tell.
create table event_return as
with
returned as (
  select
    e.person_id,
    e.chain_begin,
    min(d.detention_begin) as return_begin
  from events as e
  join detention_spells as d
    on d.person_id = e.person_id
    and d.detention_begin >= e.title_end
    and d.detention_begin < (e.title_end + to_months($return_months::integer))::date
  group by all
)
select
  e.person_id,
  e.chain_begin,
  (r.return_begin - e.title_end)::integer as return_days,
  case
    when r.return_begin is not null then 'RETURN'
    when not p.linkable then 'UNLINKABLE'
    when (e.title_end + to_months($return_months::integer))::date > $coverage_until::date + 1 then 'CENSORED'
    else 'NONE'
  end as return_detention
from events as e
join persons as p
  on p.person_id = e.person_id
left join returned as r
  on r.person_id = e.person_id
  and r.chain_begin = e.chain_begin
