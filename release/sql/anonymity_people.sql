-- grain in: one row per delivered person. grain out: the same, numbered.
-- why: counting whole numbers instead of pseudonyms of 32 bytes takes a fraction of the time.
-- source: disclosure.md section 1.
create or replace temp table anonymity_people as
select
  *,
  row_number() over () as number
from persons
