-- grain in: one row per arrangement. grain out: one row per published key (indicator x breakdown x year).
-- why: arrangements by start and by end, never persons; clients are persons with an arrangement in the year, by age.
-- source: registers.md 0.4 and 6.5; linkage.md section 7, Years; keys of schemas/reference/national_figures.csv.
insert into figures
with
provided as (
  select
    w.*,
    case w.wmo_group when 'THUIS' then 'support_at_home' else 'residence_and_shelter' end as provision
  from wmo_arrangements as w
  where w.wmo_group in ('THUIS', 'OPVANG')
),
flows as (
  select 'inflow' as indicator, provision, gemeente_delivery, year(wmo_start) as year
  from provided
  union all
  select 'outflow' as indicator, provision, gemeente_delivery, year(wmo_end) as year
  from provided
  where wmo_end is not null
),
years as (
  select distinct half // 2 as year
  from ref_period
),
clients as (
  select distinct
    w.person_id,
    w.provision,
    y.year,
    y.year - p.geboortejaar as age
  from provided as w
  join years as y
    on w.wmo_start < make_date(y.year + 1, 1, 1)
    and w.runs_until > make_date(y.year, 1, 1)
  join persons as p
    on p.person_id = w.person_id
),
aged as (
  select
    provision,
    year,
    case
      when age < 30 then 'under_30'
      when age < 45 then '30_45'
      when age < 60 then '45_60'
      when age < 75 then '60_75'
      when age < 85 then '75_85'
      else '85_plus'
    end as age
  from clients
  where age is not null
)
select 'cbs', indicator, 'provision=' || provision, year, count(*)
from flows
group by all
union all
select 'cbs', f.indicator, 'provision=' || f.provision || ';municipality=' || a.naam, f.year, count(*)
from flows as f
join ref_area as a
  on a.niveau = 'gemeente'
  and a.gemeente = f.gemeente_delivery
group by all
union all
select 'cbs', 'clients', 'provision=' || provision, year, count(*)
from clients
group by all
union all
select 'cbs', 'clients', 'provision=' || provision || ';age=' || age, year, count(*)
from aged
group by all
