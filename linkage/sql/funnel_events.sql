-- grain in: one row per event. grain out: one row: events with realised care, and events that count.
-- why: the last two steps of the funnel.
-- source: linkage.md sections 3 and 7, Title ends.
select
  count(*) filter (where excluded is distinct from 'NO_REALISED_CARE') as in_scope,
  count(*) filter (where excluded is null) as events
from title_end_events
