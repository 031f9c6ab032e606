-- grain in: current rows with their person. grain out: one row per person x two registers that both hold it.
-- why: every link carries its basis: a number both registers hold, rows with two numbers (crosswalk), or fallback keys.
-- source: linkage.md sections 1 and 7, Persons. Within one register only fallback links are listed.
create table register_links as
with
everybody as (
  select
    person_id,
    unnest([
      {'register': 'injus', 'here': in_injus},
      {'register': 'injus_tbs', 'here': in_injus_tbs},
      {'register': 'reclassering', 'here': in_reclassering},
      {'register': 'ifzo', 'here': in_ifzo},
      {'register': 'gmsd', 'here': in_gmsd}
    ]) as place
  from persons
  where in_injus::integer + in_injus_tbs::integer + in_reclassering::integer + in_ifzo::integer + in_gmsd::integer > 1
),
seen as (
  select
    person_id,
    place.register as register
  from everybody
  where place.here
),
wanted as (
  select m.person_id, m.kind, m.key
  from key_person as m
  semi join everybody as e
    on e.person_id = m.person_id
),
-- Only keys of persons in two registers: what is not held need not be made distinct.
held as (
  select distinct w.person_id, l.register, w.kind, w.key
  from current_links as l
  join wanted as w
    on w.kind = 1
    and w.key = l.bsn[1:16]::uuid
  where l.register <> 'crosswalk'
  union all
  select distinct w.person_id, l.register, w.kind, w.key
  from current_links as l
  join wanted as w
    on w.kind = 2
    and w.key = l.skn[1:16]::uuid
  where l.register <> 'crosswalk'
  union all
  select distinct w.person_id, l.register, w.kind, w.key
  from current_links as l
  join wanted as w
    on w.kind = 3
    and w.key = l.vip[1:16]::uuid
  where l.register <> 'crosswalk'
),
shared as (
  select
    a.person_id,
    a.register,
    b.register as other,
    min(a.kind) as kind
  from held as a
  join held as b
    on b.person_id = a.person_id
    and b.kind = a.kind
    and b.key = a.key
    and b.register > a.register
  group by a.person_id, a.register, b.register
),
by_number as (
  select distinct person_id, register
  from held
),
by_fallback as (
  select
    person_id,
    register,
    min(probability) as probability
  from fallback_person
  group by person_id, register
),
paired as (
  select
    a.person_id,
    a.register,
    b.register as other
  from seen as a
  join seen as b
    on b.person_id = a.person_id
    and b.register > a.register
)
select
  p.person_id::bigint as person_id,
  p.register,
  p.other,
  case
    when s.kind = 1 then 'BSN'
    when s.kind = 2 then 'SKN'
    when s.kind = 3 then 'VIP'
    when n.person_id is not null and m.person_id is not null then 'CROSSWALK'
    else 'FALLBACK'
  end as basis,
  case
    when n.person_id is not null and m.person_id is not null then 1.0
    else least(coalesce(f.probability, 1.0), coalesce(g.probability, 1.0))
  end::double as probability
from paired as p
left join shared as s
  on s.person_id = p.person_id
  and s.register = p.register
  and s.other = p.other
left join by_number as n
  on n.person_id = p.person_id
  and n.register = p.register
left join by_number as m
  on m.person_id = p.person_id
  and m.register = p.other
left join by_fallback as f
  on f.person_id = p.person_id
  and f.register = p.register
  and n.person_id is null
left join by_fallback as g
  on g.person_id = p.person_id
  and g.register = p.other
  and m.person_id is null
union all
select
  f.person_id::bigint as person_id,
  f.register,
  f.register as other,
  'FALLBACK' as basis,
  f.probability::double as probability
from by_fallback as f
