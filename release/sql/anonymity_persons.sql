-- grain in: one row per delivered row: person, what may be known of it (class), what would be learned (secret).
-- grain out: one row per person: the smallest number of persons alike (k), and whether all of those share one secret.
-- why: somebody who knows the class of a person finds k persons; if they share one secret, k does not protect it.
create or replace temp table anonymity_persons as
with
classes as (
  select
    class,
    count(distinct person) as k,
    count(distinct coalesce(secret, '')) as secrets
  from anonymity_rows
  group by class
)
select
  r.person,
  min(c.k) as k,
  bool_or(c.k > 1 and c.secrets = 1) as alike
from anonymity_rows as r
join classes as c
  on c.class is not distinct from r.class
group by r.person
