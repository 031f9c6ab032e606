-- grain in: one row per gmsd row. grain out: one row per person x municipality x number x category not merged by number.
-- why: one year without numbers among the years of a number sends all its rows to the rule without numbers.
-- source: linkage.md section 7, GMSD: in each calendar year concerned.
create table by_rule as
select distinct
  g.person_id,
  g.gemeente,
  g.nummer,
  g.productcategorie
from gmsd as g
join unnumbered_years as u
  on u.gemeente = g.gemeente
  and u.jaar = g.half // 2
where g.nummer is not null
  and g.person_id between $first_person::bigint and $last_person::bigint
