-- grain in: judged rows and the thresholds of the run's own curve. grain out: one row per threshold.
-- why: what another threshold would have found, and at what price.
-- source: linkage.md section 5. Below the plan's threshold without the one-to-one rule.
select
  c.threshold,
  count(*) filter (where j.probability >= c.threshold and j.outcome in ('LINKED', 'BELOW_THRESHOLD')) as linked,
  count(*) filter (
    where j.probability >= c.threshold and j.outcome in ('LINKED', 'BELOW_THRESHOLD') and j.correct
  ) as correct,
  count(*) filter (where j.findable) as findable
from fallback_curve as c
cross join judged as j
group by c.threshold
order by c.threshold
