-- grain in: one row per event x period x characteristic. grain out: one row per measure in days that is known for it.
-- why: gap and lead time are distributions, not averages.
-- source: linkage.md section 3, Continuity.
create table indicator_days as
with
measured as (
  select
    gemeente,
    periode,
    kenmerk,
    waarde,
    unnest([
      {'maat': 'KLOOF_TITEL', 'dagen': kloof_titel},
      {'maat': 'KLOOF_ZORG', 'dagen': kloof_zorg},
      {'maat': 'VOORSPRONG', 'dagen': voorsprong}
    ], recursive := true)
  from indicator_groups
)
select *
from measured
where dagen is not null
