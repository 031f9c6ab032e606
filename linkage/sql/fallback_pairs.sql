-- grain in: one row per profile. grain out: one row per pair (a profile without owner, another one) that share a key.
-- why: candidates, each with its pattern: per key 0 differs, 1 agrees, 2 missing on a side, as a number to base 3.
-- source: fellegi_sunter.py. A key that more people share than the plan allows is a placeholder, and is no candidate.
create table fallback_pairs as
with
listed as (
  select
    profile,
    person_id,
    unnest([
      {'kind': 1, 'key': a},
      {'kind': 2, 'key': b},
      {'kind': 3, 'key': c},
      {'kind': 4, 'key': d},
      {'kind': 5, 'key': e},
      {'kind': 6, 'key': f},
      {'kind': 7, 'key': g}
    ]) as held
  from fallback_profiles
),
keyed as (
  select
    profile,
    person_id,
    held.kind as kind,
    held.key as key
  from listed
  where held.key is not null
),
usual as (
  select kind, key
  from keyed
  group by kind, key
  having count(distinct coalesce(person_id, -1 - profile)) <= $fallback_common::integer
    and count(*) > count(person_id)
),
hits as (
  select distinct
    u.profile as u,
    v.profile as v
  from usual as k
  join keyed as u
    on u.kind = k.kind
    and u.key = k.key
    and u.person_id is null
  join keyed as v
    on v.kind = k.kind
    and v.key = k.key
    and v.profile > u.profile
)
select
  h.u,
  h.v,
  v.person_id,
  v.missing | u.missing as missing,
  (
    coalesce((u.a = v.a)::integer, 2) + 3 * coalesce((u.b = v.b)::integer, 2) + 9 * coalesce((u.c = v.c)::integer, 2)
    + 27 * coalesce((u.d = v.d)::integer, 2) + 81 * coalesce((u.e = v.e)::integer, 2)
    + 243 * coalesce((u.f = v.f)::integer, 2) + 729 * coalesce((u.g = v.g)::integer, 2)
  )::bigint as pattern
from hits as h
join fallback_profiles as u
  on u.profile = h.u
join fallback_profiles as v
  on v.profile = h.v
