-- grain in: one row per delivered gmsd row. grain out: one row per gmsd row that a later delivery replaces.
-- why: the later delivery replaces the earlier, listed under the row's own code or the code it became.
-- source: linkage.md section 7, GMSD.
create table replaced as
select
  p.sequence,
  p.row_id
from payload_gmsd as p
join ref_gemeente as r
  on r.code = p.gemeentecode
left join last_coverage as own
  on own.half = half_number(p.verslagperiode)
  and own.code = p.gemeentecode
left join last_coverage as became
  on became.half = half_number(p.verslagperiode)
  and became.code = r.gemeente
where greatest(own.sequence, became.sequence) > p.sequence
