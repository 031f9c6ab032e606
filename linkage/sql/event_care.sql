-- grain in: one row per event and care spell of the person. grain out: one row per event with the last care before it.
-- why: the care path; where two spells end on one day the heavier care goes first.
-- source: linkage.md section 7, Title ends.
create table event_care as
select
  e.person_id,
  e.chain_begin,
  first(
    {'care_group': c.care_group, 'care_end': c.care_end}
    order by c.care_end desc nulls first, r.care_rank
  ) as last_care
from events as e
join care_spells as c
  on c.person_id = e.person_id
  and c.care_begin <= e.title_end
join ref_care_group as r
  on r.care_group = c.care_group
group by all
