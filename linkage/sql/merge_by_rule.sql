-- grain in: one row per candidate with its component. grain out: one row per arrangement found by the rule of CBS.
-- why: the end is that of the latest half-year, empty is running; the maximum of known ends is the failure of 2020.
-- source: registers.md 6.3 and 0.6; linkage.md section 7, GMSD.
create table arrangements_by_rule as
select
  v.person_id,
  v.gemeente,
  v.productcategorie,
  min(v.wmo_start) as wmo_start,
  min(v.assigned_from) as assigned_from,
  sum(v.records)::integer as records,
  first(
    {'half': v.half, 'wmo_end': v.wmo_end, 'leveringsvorm': v.leveringsvorm, 'reden': v.reden}
    order by v.half desc, v.wmo_end desc nulls first, v.wmo_start desc, v.leveringsvorm, v.reden nulls last
  ) as decides,
  first(v.brp.gemeente order by place_rank(v.brp.gemeente), v.brp.half desc, v.brp.gemeente) as gemeente_brp
from rule_variants as v
join rule_components as c
  on c.variant = v.variant
group by v.person_id, v.gemeente, v.productcategorie, c.component
