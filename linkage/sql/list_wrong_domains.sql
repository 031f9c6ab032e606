-- grain in: one row per delivery and person column. grain out: the same, those of another domain or without a label.
-- why: DuckDB drops Arrow types, so the check is repeated on what DuckDB reads.
-- source: pseudonymisation.md section 6, rules 4 and 5.
select
  register,
  column_name,
  label
from domains
where label is distinct from $label
  and register is not null
order by register, sequence, column_name
