-- grain in: nothing. grain out: an empty table, one row per source x indicator x breakdown x year once filled.
-- why: each register is recounted by its own definition, in statements of their own.
-- source: linkage.md section 5; keys of schemas/reference/national_figures.csv.
create table figures (
  source varchar not null,
  indicator varchar not null,
  breakdown varchar not null,
  year bigint not null,
  value double not null
)
