-- grain in: one row per delivered tbs event. grain out: one row per person x measure x event x day.
-- why: the series are never added up; an event delivered twice is one event.
-- source: linkage.md section 2, Tbs events.
create table tbs_events as
select
  person_id,
  gebeurtenis,
  datum,
  first(gemeente_verblijf order by place_rank(gemeente_verblijf), gemeente_verblijf) as gemeente_verblijf
from injus_tbs
where person_id between $first_person::bigint and $last_person::bigint
group by person_id, tbs_id, gebeurtenis, datum
