-- grain in: one row per arrangement, and clients by group, year and age. grain out: one row per published key (indicator x breakdown x year).
-- why: arrangements of identified people by start and by end, of whom delivered that year; clients are people with one in it.
-- source: registers.md 0.4 and 6.5; linkage.md section 7, Years; keys of schemas/reference/national_figures.csv.
insert into figures
with
-- A start of a year without delivery is told by the next one; the register did not have it then and did not count it.
delivered as (
  select distinct gemeente, split_part(half_year, 'H', 1)::bigint as year
  from coverage
  where delivered
),
-- A row that is nobody's would count the arrangement of its client a second time: CBS merges records of one person.
nobody as (
  select person_id
  from persons
  where not linkable
),
-- Added up before they get their names: an arrangement is read twice, and written never.
counted as (
  select 'inflow' as indicator, wmo_group, gemeente_delivery, year(wmo_start) as year, count(*) as n
  from wmo_arrangements as w
  anti join nobody as b
    on b.person_id = w.person_id
  group by all
  union all
  select 'outflow' as indicator, wmo_group, gemeente_delivery, year(wmo_end) as year, count(*) as n
  from wmo_arrangements as w
  anti join nobody as b
    on b.person_id = w.person_id
  where wmo_end is not null
  group by all
),
flows as (
  select c.indicator, c.wmo_group, c.gemeente_delivery, c.year, c.n
  from counted as c
  join delivered as d
    on d.gemeente = c.gemeente_delivery
    and d.year = c.year
),
provisions as (
  select 'THUIS' as wmo_group, 'support_at_home' as provision
  union all
  select 'OPVANG' as wmo_group, 'residence_and_shelter' as provision
),
clients as (
  select
    p.provision,
    c.year,
    case
      when c.age < 30 then 'under_30'
      when c.age < 45 then '30_45'
      when c.age < 60 then '45_60'
      when c.age < 75 then '60_75'
      when c.age < 85 then '75_85'
      else '85_plus'
    end as band,
    c.age is not null as has_age,
    c.persons
  from cbs_clients as c
  join provisions as p
    on p.wmo_group = c.wmo_group
)
select 'cbs', f.indicator, 'provision=' || p.provision, f.year, sum(f.n)::bigint
from flows as f
join provisions as p
  on p.wmo_group = f.wmo_group
group by all
union all
select 'cbs', f.indicator, 'provision=' || p.provision || ';municipality=' || a.naam, f.year, sum(f.n)::bigint
from flows as f
join provisions as p
  on p.wmo_group = f.wmo_group
join ref_area as a
  on a.niveau = 'gemeente'
  and a.gemeente = f.gemeente_delivery
group by all
union all
select 'cbs', 'clients', 'provision=' || provision, year, sum(persons)::bigint
from clients
group by all
union all
select 'cbs', 'clients', 'provision=' || provision || ';age=' || band, year, sum(persons)::bigint
from clients
where has_age
group by all
