-- grain in: one row per current row and register, of one range. grain out: one row per distinct (type, pseudonym), numbered.
-- why: joins run on 16 bytes as uuid, which can be spilled; the numbers follow the 32 bytes: lowest number, lowest pseudonym.
-- source: performance.md section 9 (3); linkage.md section 7, Persons.
create table keys as
with
listed as (
  select 1::utinyint as kind, bsn as pseudonym, register <> 'crosswalk' as registered
  from current_links
  where bsn between $first_key::blob and $last_key::blob
  union all
  select 2::utinyint as kind, skn as pseudonym, register <> 'crosswalk' as registered
  from current_links
  where skn between $first_key::blob and $last_key::blob
  union all
  select 3::utinyint as kind, vip as pseudonym, register <> 'crosswalk' as registered
  from current_links
  where vip between $first_key::blob and $last_key::blob
),
distinct_keys as (
  select
    kind,
    pseudonym[1:16]::uuid as key,
    min(pseudonym[17:32]::uuid) as rest,
    bool_or(registered) as registered
  from listed
  group by kind, pseudonym[1:16]::uuid
)
select
  kind,
  key,
  rest,
  registered,
  ($first_number + row_number() over (order by key, rest, kind) - 1)::integer as number
from distinct_keys
