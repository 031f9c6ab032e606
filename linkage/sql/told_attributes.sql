-- grain in: one row per register row. grain out: one row per person x register x birth year x sex, with how often.
-- why: what the registers say about a person, counted once for all attribute questions.
-- source: linkage.md section 1. injus and injus_tbs are one holder, and one in the order.
create table told_attributes as
select person_id, 'ifzo' as register, geboortejaar, geslacht, count(*) as n
from ifzo
group by all
union all
select person_id, 'reclassering' as register, geboortejaar, geslacht, count(*) as n
from reclassering
group by all
union all
select person_id, 'injus' as register, geboortejaar, geslacht, count(*) as n
from injus
group by all
union all
select person_id, 'injus_tbs' as register, geboortejaar, geslacht, count(*) as n
from injus_tbs
group by all
union all
select person_id, 'gmsd' as register, geboortejaar, geslacht, count(*) as n
from gmsd
group by all
