-- grain in: one row per arrangement by number and by rule. grain out: one row per arrangement, with its group.
-- why: what researchers query; `runs_until` closes open ones at the end of what their municipality delivered.
-- source: linkage.md section 7, GMSD. Start is datum_start, else ingangsdatum.
create table wmo_arrangements as
with
last_delivered as (
  select
    gemeente,
    max(half) as half
  from coverage_delivered
  where delivered
  group by gemeente
),
arrangements as (
  select person_id, gemeente, productcategorie, wmo_start, assigned_from, records, decides, gemeente_brp
  from arrangements_by_number
  union all
  select person_id, gemeente, productcategorie, wmo_start, assigned_from, records, decides, gemeente_brp
  from arrangements_by_rule
)
select
  a.person_id,
  a.gemeente as gemeente_delivery,
  a.gemeente_brp,
  a.productcategorie,
  w.wmo_group,
  a.decides.leveringsvorm as leveringsvorm,
  a.wmo_start,
  a.decides.wmo_end as wmo_end,
  a.assigned_from,
  a.decides.reden as reden_beeindiging,
  a.records,
  half_name(a.decides.half) as last_period,
  coalesce(
    a.decides.wmo_end,
    half_end(greatest(a.decides.half, coalesce(d.half, a.decides.half)))
  ) as runs_until
from arrangements as a
join ref_wmo as w
  on w.productcategorie = a.productcategorie
left join last_delivered as d
  on d.gemeente = a.gemeente
