-- grain in: one row per delivered gmsd row. grain out: one row per gmsd row that a later delivery replaces.
-- why: the later delivery replaces the earlier, listed under the row's own code or the code it became.
-- source: linkage.md section 7, GMSD.
create table replaced as
select distinct
  p.sequence,
  p.row_id
from payload_gmsd as p
join ref_gemeente as r
  on r.code = p.gemeentecode
join last_coverage as c
  on c.half = half_number(p.verslagperiode)
  and c.code in (p.gemeentecode, r.gemeente)
where c.sequence > p.sequence
