-- grain in: one row per content and half-year. grain out: one row per start, end and reason after replacement, numbered.
-- why: these are the candidates that the rule then joins; numbers are internal and never leave.
-- source: linkage.md section 7, GMSD.
create table rule_variants as
with
placed as (
  select
    r.person_id,
    r.gemeente,
    r.productcategorie,
    r.leveringsvorm,
    r.wmo_start,
    r.half,
    r.wmo_end is null and h.replaced_in > r.half as is_replaced,
    case when is_replaced then t.best.wmo_end else r.wmo_end end as wmo_end,
    case when is_replaced then t.best.reden else r.reden end as reden,
    r.assigned_from,
    r.records,
    r.gemeente_brp
  from rule_rows as r
  join rule_halves as h
    on h.person_id = r.person_id
    and h.gemeente = r.gemeente
    and h.productcategorie = r.productcategorie
    and h.leveringsvorm = r.leveringsvorm
    and h.wmo_start = r.wmo_start
    and h.half = r.half
  join rule_halves as t
    on t.person_id = h.person_id
    and t.gemeente = h.gemeente
    and t.productcategorie = h.productcategorie
    and t.leveringsvorm = h.leveringsvorm
    and t.wmo_start = h.wmo_start
    and t.half = h.replaced_in
)
select
  (row_number() over () - 1)::integer as variant,
  person_id,
  gemeente,
  productcategorie,
  leveringsvorm,
  wmo_start,
  wmo_end,
  reden,
  max(half) filter (where not is_replaced) as half,
  min(assigned_from) as assigned_from,
  sum(records) as records,
  first(
    {'gemeente': gemeente_brp, 'half': half}
    order by place_rank(gemeente_brp), half desc, gemeente_brp
  ) as brp
from placed
group by person_id, gemeente, productcategorie, leveringsvorm, wmo_start, wmo_end, reden
