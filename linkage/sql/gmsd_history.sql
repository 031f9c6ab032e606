-- grain in: one row per delivered gmsd row and listed municipality. grain out: one row per delivery x half-year x municipality.
-- why: a later delivery replaces an earlier one, but what it replaced, how final that was and how much stays visible.
-- source: linkage.md section 7, GMSD; under the municipality's own code or the code it became.
create table gmsd_history as
with
delivered as (
  select
    p.sequence,
    half_number(p.verslagperiode) as half,
    p.gemeentecode as code,
    count(*) as rows_delivered,
    count(r.row_id) as rows_replaced
  from payload_gmsd as p
  left join replaced as r
    on r.sequence = p.sequence
    and r.row_id = p.row_id
  group by all
),
lines as (
  select
    coalesce(d.sequence, c.sequence) as sequence,
    coalesce(d.half, c.half) as half,
    coalesce(d.code, c.code) as code,
    c.status_rank,
    coalesce(d.rows_delivered, 0) as rows_delivered,
    coalesce(d.rows_replaced, 0) as rows_replaced
  from delivered as d
  full join gmsd_coverage as c
    on c.sequence = d.sequence
    and c.half = d.half
    and c.code = d.code
),
followed as (
  select
    l.*,
    min({'sequence': n.sequence, 'status_rank': n.status_rank}) as next
  from lines as l
  left join ref_gemeente as g
    on g.code = l.code
  left join gmsd_coverage as n
    on n.half = l.half
    and n.code in (l.code, g.gemeente)
    and n.sequence > l.sequence
  group by all
)
select
  half_name(f.half) as half_year,
  f.code as gemeentecode,
  f.sequence,
  s.status,
  f.rows_delivered,
  f.next.sequence as replaced_by,
  t.status as replaced_status,
  f.rows_replaced
from followed as f
left join ref_status as s
  on s.status_rank = f.status_rank
left join ref_status as t
  on t.status_rank = f.next.status_rank
