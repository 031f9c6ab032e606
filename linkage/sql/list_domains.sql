-- grain in: one row per delivery and person column. grain out: column and label of one delivery.
-- why: the views over a link file carry its labels as constants.
-- source: pseudonymisation.md section 6, rules 4 and 5.
select
  column_name,
  label
from domains
where register = $register
  and sequence = $sequence
order by column_name
