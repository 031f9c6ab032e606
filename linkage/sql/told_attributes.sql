-- grain in: one row per register row (of a range of persons). grain out: one row per person x register x birth year x sex, with how often.
-- why: what the registers say about a person, counted once for all attribute questions.
-- source: linkage.md section 1. injus and injus_tbs are one holder, and one in the order.
create table told_attributes as
select person_id, 'ifzo' as register, geboortejaar, geslacht, count(*) as n
from ifzo
where person_id between $first_person::bigint and $last_person::bigint
group by all
union all
select person_id, 'reclassering' as register, geboortejaar, geslacht, count(*) as n
from reclassering
where person_id between $first_person::bigint and $last_person::bigint
group by all
union all
select person_id, 'injus' as register, geboortejaar, geslacht, count(*) as n
from injus
where person_id between $first_person::bigint and $last_person::bigint
group by all
union all
select person_id, 'injus_tbs' as register, geboortejaar, geslacht, count(*) as n
from injus_tbs
where person_id between $first_person::bigint and $last_person::bigint
group by all
union all
select person_id, 'gmsd' as register, geboortejaar, geslacht, count(*) as n
from gmsd
where person_id between $first_person::bigint and $last_person::bigint
group by all
