-- grain in: one row per event and arrangement of the person. grain out: the same, with the class it would give.
-- why: RUNNING began before day -90 and runs on day 0; a start in a window gives that window; the rest gives none.
-- source: linkage.md section 7, Outcome. An arrangement that ends on day 0 does not run.
create table event_wmo as
select
  e.person_id,
  e.chain_begin,
  e.title_end,
  (w.wmo_start - e.title_end)::integer as day_number,
  case
    when w.wmo_group not in ('THUIS', 'OPVANG') then null
    when day_number < -$before_days::integer and w.runs_until > e.title_end then 'RUNNING'
    when day_number < -$before_days::integer then null
    when day_number < 0 then 'START_M90_0'
    when day_number <= $window_1_days::integer then 'START_0_30'
    when day_number <= $window_2_days::integer then 'START_30_90'
    when day_number <= $headline_days::integer then 'START_90_180'
    when day_number <= $follow_up_days::integer then 'START_180_365'
  end as outcome,
  w.wmo_group,
  w.wmo_start,
  w.wmo_end,
  w.assigned_from,
  w.runs_until,
  w.productcategorie,
  w.gemeente_delivery,
  w.gemeente_brp
from events as e
join wmo_arrangements as w
  on w.person_id = e.person_id
