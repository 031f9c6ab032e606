-- grain in: one row per range of persons x register x year x stratum x value. grain out: the same without the ranges.
-- why: linkage error falls on some groups more than on others; the unlinkable are kept with what is known of them.
-- source: linkage.md sections 1 and 5.
create table link_strata as
select
  register,
  year,
  stratum,
  value,
  sum(persons)::bigint as persons,
  sum(matched)::bigint as matched,
  sum(unlinkable)::bigint as unlinkable,
  sum(by_fallback)::bigint as by_fallback
from strata_counts
group by register, year, stratum, value
