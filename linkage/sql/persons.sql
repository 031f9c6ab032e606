-- grain in: one row per person x register x birth year x sex (of a range of persons). grain out: one row per person.
-- why: one birth year and sex by the stated order, the most frequent value within a register; conflicts are flagged.
-- source: linkage.md sections 1 and 7, Persons.
create table persons as
with
seen as (
  select
    person_id,
    bool_or(register = 'injus') as in_injus,
    bool_or(register = 'injus_tbs') as in_injus_tbs,
    bool_or(register = 'reclassering') as in_reclassering,
    bool_or(register = 'ifzo') as in_ifzo,
    bool_or(register = 'gmsd') as in_gmsd,
    min(geboortejaar) as first_year,
    max(geboortejaar) as last_year,
    min(geslacht) as first_sex,
    max(geslacht) as last_sex
  from told_attributes
  group by person_id
),
-- Of nearly everybody all rows say the same: only the others are weighed.
weighed as (
  select
    t.person_id,
    o.rank,
    t.geboortejaar,
    t.geslacht,
    t.n
  from told_attributes as t
  join seen as s
    on s.person_id = t.person_id
    and (s.first_year < s.last_year or s.first_sex < s.last_sex)
  join ref_attribute_order as o
    on o.register = t.register
),
years as (
  select person_id, rank, geboortejaar, sum(n)::bigint as n
  from weighed
  where geboortejaar is not null
  group by all
),
sexes as (
  select person_id, rank, geslacht, sum(n)::bigint as n
  from weighed
  where geslacht is not null
  group by all
),
-- The order is one number (rank, then frequency, then the value): an ordered aggregate would hold every row in memory.
year_of as (
  select
    person_id,
    arg_min(geboortejaar, rank * 10000000000000 - n * 10000 + geboortejaar) as geboortejaar,
    max(geboortejaar) - min(geboortejaar) > $birth_year_margin::integer as is_conflict
  from years
  group by person_id
),
sex_of as (
  select
    person_id,
    arg_min(
      geslacht,
      if(geslacht = 'O', 1000000000000000, 0) + rank * 10000000000000 - n * 10
      + case geslacht when 'M' then 0 when 'O' then 1 else 2 end
    ) as geslacht,
    bool_or(geslacht = 'M') and bool_or(geslacht = 'V') as is_conflict
  from sexes
  group by person_id
)
select
  s.person_id::bigint as person_id,
  coalesce(y.geboortejaar, s.first_year) as geboortejaar,
  coalesce(x.geslacht, s.first_sex) as geslacht,
  coalesce(r.bsn_count, 0) as bsn_count,
  coalesce(r.skn_count, 0) as skn_count,
  coalesce(r.vip_count, 0) as vip_count,
  r.person_id is not null as linkable,
  coalesce(y.is_conflict, false) as conflict_geboortejaar,
  coalesce(x.is_conflict, false) as conflict_geslacht,
  s.in_injus,
  s.in_injus_tbs,
  s.in_reclassering,
  s.in_ifzo,
  s.in_gmsd
from seen as s
left join person_root as r
  on r.person_id = s.person_id
  and r.person_id between $first_person::bigint and $last_person::bigint
left join year_of as y
  on y.person_id = s.person_id
left join sex_of as x
  on x.person_id = s.person_id
