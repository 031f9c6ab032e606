-- grain in: one row per person with inflow, and the care, detention and title ends of the few who have any. grain out: one row per such inflow.
-- why: the second question of the report: who of the Wmo inflow has a forensic past.
-- source: linkage.md sections 3 and 7; the look-back is that of detention, 24 months and half-open.
create table inflow_past as
with
starts as (
  select
    person_id,
    wmo_group,
    half,
    first_start.wmo_start as wmo_start
  from inflow_people
),
care as (
  select
    s.person_id,
    s.wmo_group,
    s.half,
    bool_or(coalesce(c.care_end, date '9999-12-31') > (s.wmo_start - to_months($lookback_months::integer))::date)
      as forensic_recent,
    first(c.care_group order by c.care_end desc nulls first, r.care_rank) as care_group
  from starts as s
  join care_spells as c
    on c.person_id = s.person_id
    and c.care_begin < s.wmo_start
  join ref_care_group as r
    on r.care_group = c.care_group
  group by all
),
detention as (
  select
    s.person_id,
    s.wmo_group,
    s.half,
    true as detained
  from starts as s
  join detention_spells as d
    on d.person_id = s.person_id
    and coalesce(d.detention_begin, d.detention_end - 1) < s.wmo_start
    and coalesce(d.detention_end, date '9999-12-31') > (s.wmo_start - to_months($lookback_months::integer))::date
  group by all
),
title as (
  select
    s.person_id,
    s.wmo_group,
    s.half,
    true as title_near
  from starts as s
  join title_end_events as e
    on e.person_id = s.person_id
    and e.excluded is null
    and s.wmo_start - e.title_end between -$before_days::integer and $headline_days::integer
  group by all
)
select
  coalesce(c.person_id, d.person_id, t.person_id) as person_id,
  coalesce(c.wmo_group, d.wmo_group, t.wmo_group) as wmo_group,
  coalesce(c.half, d.half, t.half) as half,
  c.person_id is not null as forensic_ever,
  coalesce(c.forensic_recent, false) as forensic_recent,
  c.care_group,
  coalesce(d.detained, false) as detained,
  coalesce(t.title_near, false) as title_near
from care as c
full join detention as d
  on d.person_id = c.person_id
  and d.wmo_group = c.wmo_group
  and d.half = c.half
full join title as t
  on t.person_id = coalesce(c.person_id, d.person_id)
  and t.wmo_group = coalesce(c.wmo_group, d.wmo_group)
  and t.half = coalesce(c.half, d.half)
