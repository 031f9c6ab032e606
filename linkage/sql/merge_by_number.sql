-- grain in: one row per piece. grain out: one row per arrangement that its number identifies.
-- why: pieces of one number are one arrangement until it returns late; the latest half-year decides the end.
-- source: registers.md 6.3; linkage.md section 7, GMSD.
create table arrangements_by_number as
with
numbered as (
  select
    *,
    sum(is_new::integer) over (
      partition by person_id, gemeente, nummer, productcategorie
      order by wmo_start
      rows between unbounded preceding and current row
    ) as turn
  from pieces_by_number
)
select
  person_id,
  gemeente,
  productcategorie,
  min(wmo_start) as wmo_start,
  min(assigned_from) as assigned_from,
  sum(records)::integer as records,
  first(
    decides
    order by
      decides.half desc,
      decides.wmo_end desc nulls first,
      wmo_start desc,
      decides.leveringsvorm,
      decides.reden nulls last
  ) as decides,
  first(brp.gemeente order by place_rank(brp.gemeente), brp.half desc, brp.gemeente) as gemeente_brp
from numbered
group by person_id, gemeente, nummer, productcategorie, turn
