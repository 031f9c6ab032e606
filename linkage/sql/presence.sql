-- grain in: one row per register row (of a range of persons). grain out: one row per register x person x year with a row.
-- why: the base of all match rates: who is in which register in which year.
-- source: linkage.md section 5. Year of an ifzo row: care begin, else title begin, else indication.
create table presence as
select 'injus' as register, person_id, year(datum)::integer as year
from injus
where person_id between $first_person::bigint and $last_person::bigint
group by all
union all
select 'injus_tbs' as register, person_id, year(datum)::integer as year
from injus_tbs
where person_id between $first_person::bigint and $last_person::bigint
group by all
union all
select 'reclassering' as register, person_id, year(datum_verzoek)::integer as year
from reclassering
where person_id between $first_person::bigint and $last_person::bigint
group by all
union all
select 'ifzo' as register, person_id, year(coalesce(zorg_begin, titel_begin, datum_indicatie))::integer as year
from ifzo
where person_id between $first_person::bigint and $last_person::bigint
group by all
union all
select 'gmsd' as register, person_id, (half // 2)::integer as year
from gmsd
where person_id between $first_person::bigint and $last_person::bigint
group by all
