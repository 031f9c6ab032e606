-- grain in: one row per placement request. grain out: one row per person x indication.
-- why: several providers are asked for the same care; requests and persons are both reported.
-- source: linkage.md section 2, Placement request.
create table placement_requests as
with
collapsed as (
  select
    person_id,
    indicatie_id,
    min(datum_indicatie) as datum_indicatie,
    min(datum_verzoek) as first_request,
    count(*)::integer as requests,
    first(
      {'soort': soort_plaatsing, 'titel': titel_code, 'arrondissement': arrondissement}
      order by datum_verzoek, soort_plaatsing, titel_code nulls last, arrondissement
    ) as told
  from reclassering
  where person_id between $first_person::bigint and $last_person::bigint
  group by person_id, indicatie_id
)
select
  person_id,
  datum_indicatie,
  first_request,
  requests,
  told.soort as soort_plaatsing,
  told.titel as titel_code,
  told.arrondissement as arrondissement
from collapsed
