-- grain in: register rows that tell of a death or a deportation. grain out: one row per person x kind x day.
-- why: death and deportation are no outflow to a municipality; any in-scope register row may tell.
-- source: linkage.md section 7, Title ends.
create table departures as
select
  person_id,
  reden_einde as kind,
  datum as day
from injus
where soort_melding = 'EINDE_DETENTIE'
  and reden_einde in ('OVERLIJDEN', 'UITZETTING')
  and person_id between $first_person::bigint and $last_person::bigint
union
select
  person_id,
  gebeurtenis as kind,
  datum as day
from injus_tbs
where gebeurtenis in ('OVERLIJDEN', 'UITZETTING')
  and person_id between $first_person::bigint and $last_person::bigint
union
select
  person_id,
  'OVERLIJDEN' as kind,
  coalesce(zorg_eind, titel_eind) as day
from ifzo
where reden_einde_zorg = 'OVERLIJDEN'
  and coalesce(zorg_eind, titel_eind) is not null
  and person_id between $first_person::bigint and $last_person::bigint
union
select
  person_id,
  'OVERLIJDEN' as kind,
  wmo_end as day
from gmsd
where reden_beeindiging = '02'
  and wmo_end is not null
  and person_id between $first_person::bigint and $last_person::bigint
