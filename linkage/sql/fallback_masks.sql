-- grain in: one row per profile. grain out: one row per owned or not x set of missing keys, with how many.
-- why: how many pairs agree on nothing follows from these counts, without listing them.
-- source: fellegi_sunter.py.
select
  person_id is not null as owned,
  missing,
  count(*) as profiles
from fallback_profiles
group by owned, missing
order by owned, missing
