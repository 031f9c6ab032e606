-- grain in: one row per event and half-year from its title end on. grain out: one row per event.
-- why: how many days after the title end the Wmo could be seen without a gap, in the municipality of the event.
-- source: linkage.md section 7, Outcome: the follow-up of a window is complete when seen_days is larger than the window.
create table event_seen as
with
unseen as (
  select
    e.person_id,
    e.chain_begin,
    min(h.first_day) as first_day
  from title_end_events as e
  join ref_half as h
    on h.next_day > e.title_end
  left join coverage_delivered as c
    on c.half = h.half
    and c.gemeente = e.gemeente
  where not coalesce(c.delivered, false)
  group by all
)
select
  e.person_id,
  e.chain_begin,
  greatest(least(coalesce(u.first_day, $coverage_until::date + 1), $coverage_until::date + 1) - e.title_end, 0)::integer
    as seen_days
from title_end_events as e
left join unseen as u
  on u.person_id = e.person_id
  and u.chain_begin = e.chain_begin
