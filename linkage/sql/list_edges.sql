-- grain in: one row per current row. grain out: one row per distinct pair of key numbers that share a row.
-- why: any row with two identifiers says that they are one person, like a crosswalk row.
-- source: linkage.md section 7, Persons.
create table edges as
with
pairs as (
  select distinct 1::utinyint as kind_a, bsn[1:16]::uuid as key_a, 2::utinyint as kind_b, skn[1:16]::uuid as key_b
  from current_links
  where bsn is not null
    and skn is not null
  union all
  select distinct 1::utinyint as kind_a, bsn[1:16]::uuid as key_a, 3::utinyint as kind_b, vip[1:16]::uuid as key_b
  from current_links
  where bsn is not null
    and vip is not null
  union all
  select distinct 2::utinyint as kind_a, skn[1:16]::uuid as key_a, 3::utinyint as kind_b, vip[1:16]::uuid as key_b
  from current_links
  where skn is not null
    and vip is not null
)
select
  a.number as a,
  b.number as b
from pairs as p
join keys as a
  on a.kind = p.kind_a
  and a.key = p.key_a
join keys as b
  on b.kind = p.kind_b
  and b.key = p.key_b
