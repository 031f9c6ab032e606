-- grain in: one row per ifzo row. grain out: one row per published key (indicator x breakdown x year).
-- why: a unique placement is one that was realised; placements by begin of care.
-- source: linkage.md section 7, Years; registers.md 5.5; keys of schemas/reference/national_figures.csv.
insert into figures
with
placements as (
  select
    i.person_id,
    year(i.zorg_begin) as year,
    case c.care_group
      when 'AMBULANT' then 'ambulant'
      when 'KLINISCH' then 'clinical'
      when 'VERBLIJF' then 'residential'
      when 'FPT' then 'fpt'
      else 'unknown'
    end as care_type,
    case i.geslacht when 'M' then 'male' when 'V' then 'female' else 'unknown' end as sex,
    year(i.zorg_begin) - p.geboortejaar as age
  from ifzo as i
  join ref_care as c
    on c.zorgtype = i.zorgtype
  join persons as p
    on p.person_id = i.person_id
  where i.zorg_begin is not null
),
split as (
  select
    *,
    unnest(['total', 'care_type=' || care_type, 'sex=' || sex]) as breakdown
  from placements
)
select 'ifzo', 'unique_placements', breakdown, year, count(*)
from split
group by all
union all
select 'ifzo', 'unique_persons_placed', breakdown, year, count(distinct person_id)
from split
group by all
union all
select 'ifzo', 'age', 'total;stat=min', year, min(age)
from placements
where age is not null
group by all
union all
select 'ifzo', 'age', 'total;stat=max', year, max(age)
from placements
where age is not null
group by all
