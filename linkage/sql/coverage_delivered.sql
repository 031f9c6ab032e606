-- grain in: one row per half-year x listed code. grain out: one row per municipality (2023) x half-year of the period.
-- why: a municipality delivered when every part of it that existed on the last day of the half-year is listed.
-- source: linkage.md section 7, GMSD and Municipality; status is the least final one of the parts.
create table coverage_delivered as
with
parts as (
  select
    p.half,
    p.gemeente,
    p.code,
    arg_max(c.status_rank, c.sequence) as status_rank
  from ref_part as p
  left join gmsd_coverage as c
    on c.half = p.half
    and c.code in (p.code, p.gemeente)
  group by all
)
select
  half,
  gemeente,
  bool_and(status_rank is not null) as delivered,
  bool_or(status_rank is not null) as delivered_partly,
  case when bool_and(status_rank is not null) then min(status_rank) end as status_rank
from parts
group by all
