-- grain in: one row per candidate. grain out: one row per pair of candidates that the rule makes one arrangement.
-- why: equal begin and end, or the begin of one joins the end of the other within 3 days; longer overlaps do not.
-- source: registers.md 6.3; linkage.md section 7, GMSD: an empty end reason matches any.
create table rule_pairs as
select
  a.variant as a,
  b.variant as b
from rule_variants as a
join rule_variants as b
  on b.person_id = a.person_id
  and b.gemeente = a.gemeente
  and b.productcategorie = a.productcategorie
  and b.leveringsvorm = a.leveringsvorm
where a.variant < b.variant
  and (a.reden is null or b.reden is null or a.reden = b.reden)
  and (
    (a.wmo_start = b.wmo_start and a.wmo_end is not distinct from b.wmo_end)
    or abs(b.wmo_start - a.wmo_end) <= $join_margin_days::integer
    or abs(a.wmo_start - b.wmo_end) <= $join_margin_days::integer
  )
