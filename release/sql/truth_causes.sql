-- grain in: matched title ends. grain out: one row per cause, for planted title ends with Wmo.
-- why: why the observed group is smaller than the planted one.
-- source: linkage.md section 5.
select
  cause,
  count(*) as n,
  100.0 * count(*) / sum(count(*)) over () as share
from matched
where has_wmo
group by cause
order by n desc
