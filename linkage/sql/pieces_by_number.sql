-- grain in: one row per gmsd row. grain out: one row per person x municipality x number x category x start (a piece).
-- why: within a number, rows with one start are one arrangement; a number that returns late is a new one.
-- source: linkage.md section 7, GMSD. `decides` holds what the latest half-year says, open before closed.
create table pieces_by_number as
with
pieces as (
  select
    g.person_id,
    g.gemeente,
    g.nummer,
    g.productcategorie,
    g.wmo_start,
    min(g.assigned_from) as assigned_from,
    count(*) as records,
    max(greatest(g.wmo_start, coalesce(g.wmo_end, half_end(g.half)))) as seen_until,
    first(
      {'half': g.half, 'wmo_end': g.wmo_end, 'leveringsvorm': g.leveringsvorm, 'reden': g.reden_beeindiging}
      order by g.half desc, g.wmo_end desc nulls first, g.leveringsvorm, g.reden_beeindiging nulls last
    ) as decides,
    first(
      {'gemeente': g.gemeente_brp, 'half': g.half}
      order by place_rank(g.gemeente_brp), g.half desc, g.gemeente_brp
    ) as brp
  from gmsd as g
  anti join by_rule as b
    on b.person_id = g.person_id
    and b.gemeente = g.gemeente
    and b.nummer = g.nummer
    and b.productcategorie = g.productcategorie
  where g.nummer is not null
    and g.person_id between $first_person::bigint and $last_person::bigint
  group by g.person_id, g.gemeente, g.nummer, g.productcategorie, g.wmo_start
)
select
  *,
  coalesce(wmo_start - max(seen_until) over earlier > $reuse_gap_days::integer, true) as is_new
from pieces
window earlier as (
  partition by person_id, gemeente, nummer, productcategorie
  order by wmo_start
  rows between unbounded preceding and 1 preceding
)
