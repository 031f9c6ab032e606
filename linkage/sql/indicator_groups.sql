-- grain in: one row per event. grain out: one row per event x period (half-year, year) x characteristic, with its value.
-- why: every count is given in total and by sex, age band, care group and entry route, one at a time.
-- source: linkage.md section 3; registers.md section 8.
create table indicator_groups as
with
periods as (
  select
    *,
    unnest([half_year, half_year[1:4]]) as periode
  from indicator_events
)
select
  * exclude (half_year, geslacht, leeftijd, zorggroep, instroomroute),
  unnest([
    {'kenmerk': 'ALLEN', 'waarde': 'ALLEN'},
    {'kenmerk': 'GESLACHT', 'waarde': geslacht},
    {'kenmerk': 'LEEFTIJD', 'waarde': leeftijd},
    {'kenmerk': 'ZORGGROEP', 'waarde': zorggroep},
    {'kenmerk': 'INSTROOMROUTE', 'waarde': instroomroute}
  ], recursive := true)
from periods
