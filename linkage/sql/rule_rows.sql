-- grain in: one row per gmsd row not merged by number. grain out: one row per distinct content within a half-year.
-- why: rows that say the same in one half-year are one for the rule; their number is kept.
-- source: registers.md 6.3: same municipality, type and financing form.
create table rule_rows as
select
  g.person_id,
  g.gemeente,
  g.productcategorie,
  g.leveringsvorm,
  g.wmo_start,
  g.half,
  g.wmo_end,
  g.reden_beeindiging as reden,
  min(g.assigned_from) as assigned_from,
  count(*) as records,
  first(g.gemeente_brp order by place_rank(g.gemeente_brp), g.gemeente_brp) as gemeente_brp
from gmsd as g
left join by_rule as b
  on b.person_id = g.person_id
  and b.gemeente = g.gemeente
  and b.nummer = g.nummer
  and b.productcategorie = g.productcategorie
where (g.nummer is null or b.person_id is not null)
  and g.person_id between $first_person::bigint and $last_person::bigint
group by all
