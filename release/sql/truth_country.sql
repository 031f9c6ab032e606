-- grain in: planted, observed and matched title ends. grain out: one row per question.
-- why: the national figures side by side, and how often the run says Wmo where there was none.
-- source: linkage.md section 5.
select 'Titeleindes 2019-2023' as what, planted, observed, 100.0 * observed / planted as share
from (
  select
    (select count(*) from planted) as planted,
    (select count(*) from observed where excluded is null) as observed
)
union all
select 'Daarvan met Wmo binnen 180 dagen', planted, observed, 100.0 * observed / planted
from (
  select
    (select count(*) from planted where has_wmo) as planted,
    (select count(*) from observed where excluded is null and has_wmo) as observed
)
union all
select 'Aandeel met Wmo, in procenten', 100.0 * avg(has_wmo::integer), (
  select 100.0 * avg(has_wmo::integer)
  from observed
  where excluded is null
), null
from planted
union all
select 'Mensen met een rij in een register', planted, observed, 100.0 * observed / planted
from (
  select
    (select count(distinct person) from register_rows where person >= 0) as planted,
    (select count(*) from persons where linkable) as observed
)
union all
select 'Wmo waargenomen zonder geplante Wmo', null, count(*) filter (where seen_wmo and not has_wmo), null
from matched
where observed_id is not null
