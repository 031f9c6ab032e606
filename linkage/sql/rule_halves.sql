-- grain in: one row per content and half-year. grain out: one row per start and half-year, with the row that replaces
-- why: an open row is replaced by the same start in a later half-year; this says which half-year, and which row there.
-- source: linkage.md section 7, GMSD: a row repeated with the same begin whose earlier end was empty.
create table rule_halves as
with
halves as (
  select
    person_id,
    gemeente,
    productcategorie,
    leveringsvorm,
    wmo_start,
    half,
    bool_or(wmo_end is null) as has_open,
    first(
      {'wmo_end': wmo_end, 'reden': reden}
      order by wmo_end desc nulls first, reden nulls last
    ) as best
  from rule_rows
  group by person_id, gemeente, productcategorie, leveringsvorm, wmo_start, half
)
select
  *,
  coalesce(
    min(half) filter (where not has_open) over (
      partition by person_id, gemeente, productcategorie, leveringsvorm, wmo_start
      order by half
      rows between 1 following and unbounded following
    ),
    max(half) over (
      partition by person_id, gemeente, productcategorie, leveringsvorm, wmo_start
    )
  ) as replaced_in
from halves
