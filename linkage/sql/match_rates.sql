-- grain in: one row per register x person x year. grain out: one row per register pair x year x sex (and ALLEN).
-- why: the share of persons of one register that another also holds, and who cannot be linked at all.
-- source: linkage.md section 5. Sex unknown or empty counts as O.
create table match_rates as
with
held as (
  select
    r.register,
    r.year,
    coalesce(p.geslacht, 'O') as geslacht,
    p.linkable,
    unnest([
      {'other': 'injus', 'also': p.in_injus},
      {'other': 'injus_tbs', 'also': p.in_injus_tbs},
      {'other': 'reclassering', 'also': p.in_reclassering},
      {'other': 'ifzo', 'also': p.in_ifzo},
      {'other': 'gmsd', 'also': p.in_gmsd}
    ]) as pair
  from presence as r
  join persons as p
    on p.person_id = r.person_id
  where r.year between year($period_from::date) and year($period_until::date)
)
select
  register,
  pair.other as other,
  year,
  coalesce(geslacht, 'ALLEN') as geslacht,
  count(*) as persons,
  count(*) filter (where pair.also) as matched,
  count(*) filter (where not linkable) as unlinkable
from held
where pair.other <> register
group by grouping sets ((register, pair.other, year, geslacht), (register, pair.other, year))
