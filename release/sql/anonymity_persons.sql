-- grain in: one row per delivered row: person, what may be known of it (class), what would be learned (secret).
-- grain out: one row per person: the smallest number of persons alike (k), and whether all of those share one secret.
-- why: somebody who knows the class of a person finds k persons; if they share one secret, k does not protect it.
create or replace temp table anonymity_persons as
with
members as materialized (
  select
    class,
    person,
    min(coalesce(secret, '')) as first_secret,
    max(coalesce(secret, '')) as last_secret
  from anonymity_rows
  group by class, person
),
classes as (
  select
    class,
    count(*) as k,
    min(first_secret) = max(last_secret) as is_one
  from members
  group by class
)
select
  m.person,
  min(c.k) as k,
  bool_or(c.k > 1 and c.is_one) as alike
from members as m
join classes as c
  on c.class is not distinct from m.class
group by m.person
