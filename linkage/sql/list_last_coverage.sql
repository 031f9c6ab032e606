-- grain in: one row per gmsd delivery x half-year x listed municipality. grain out: one row per half-year x listed code.
-- why: the later delivery replaces the earlier per municipality and half-year, also where it holds zero rows.
-- source: linkage.md section 7, GMSD.
create table last_coverage as
select
  half,
  code,
  max(sequence) as sequence
from gmsd_coverage
group by all
