-- grain in: nothing. grain out: an empty table, one row per row without a number that was given a person once filled.
-- why: the rows are found through it before it is known whether there are any.
-- source: linkage.md section 7, Persons.
create table fallback_person (
  register varchar not null,
  sequence integer not null,
  row_id blob not null,
  key uuid not null,
  person_id bigint not null,
  probability double not null
)
