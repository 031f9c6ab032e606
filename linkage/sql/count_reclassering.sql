-- grain in: one row per placement request. grain out: one row per published key (indicator x breakdown x year).
-- why: requests and persons side by side, by kind of care, sex and arrondissement; requests by datum_verzoek.
-- source: linkage.md section 7, Years and Persons; keys of schemas/reference/national_figures.csv.
insert into figures
with
requests as (
  select
    r.person_id,
    year(r.datum_verzoek) as year,
    case r.soort_plaatsing when 'KLINISCH' then 'clinical' else 'ambulant' end as care_type,
    case r.geslacht when 'M' then 'male' when 'V' then 'female' else 'unknown' end as sex,
    coalesce(a.naam, r.arrondissement) as arrondissement,
    year(r.datum_verzoek) - p.geboortejaar as age
  from reclassering as r
  join persons as p
    on p.person_id = r.person_id
  left join ref_arrondissement as a
    on a.code = r.arrondissement
),
split as (
  select
    *,
    unnest([
      'total',
      'arrondissement=all',
      'care_type=' || care_type,
      'sex=' || sex,
      'arrondissement=' || arrondissement,
      'arrondissement=' || arrondissement || ';care_type=' || care_type
    ]) as breakdown
  from requests
),
people as (
  select distinct person_id, year, care_type, age
  from requests
  where age is not null
)
select '3ro', 'placement_requests', breakdown, year, count(*)
from split
group by all
union all
select '3ro', 'persons_with_placement_request', breakdown, year, count(distinct person_id)
from split
group by all
union all
select '3ro', 'age', 'care_type=' || care_type || ';stat=min', year, min(age)
from people
group by all
union all
select '3ro', 'age', 'care_type=' || care_type || ';stat=max', year, max(age)
from people
group by all
union all
select '3ro', 'age', 'care_type=' || care_type || ';stat=mean', year, sum(age)::double / count(*)
from people
group by all
