-- grain in: one row per true title end, and per observed event. grain out: the same with a key of content and a Wmo flag.
-- why: the truth and the run share no number; days, birth year and sex are nearly unique together.
-- source: linkage.md section 5: on synthetic data with planted truth, precision and recall.
create table planted as
select
  row_number() over () as planted_id,
  t.chain_begin,
  t.title_end,
  t.gemeente,
  t.died,
  year(t.title_end) || 'H' || (1 + (month(t.title_end) > 6)::integer) as half_year,
  t.wmo_start,
  coalesce(t.running or (t.wmo_start - t.title_end between -90 and 180), false) as has_wmo,
  p.geboortejaar,
  p.geslacht
from true_title_ends as t
join true_persons as p
  on p.person = t.person
where not t.died;

create table observed as
select
  row_number() over () as observed_id,
  *,
  outcome in ('RUNNING', 'START_M90_0', 'START_0_30', 'START_30_90', 'START_90_180') as has_wmo
from title_end_events
