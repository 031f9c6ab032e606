-- grain in: one row per person. grain out: one row per register with its persons that another register also holds.
-- why: the linked step of the funnel.
-- source: linkage.md section 3: the funnel from rows to events.
with
held as (
  select
    in_injus::integer + in_injus_tbs::integer + in_reclassering::integer + in_ifzo::integer + in_gmsd::integer as registers,
    unnest([
      {'register': 'injus', 'here': in_injus},
      {'register': 'injus_tbs', 'here': in_injus_tbs},
      {'register': 'reclassering', 'here': in_reclassering},
      {'register': 'ifzo', 'here': in_ifzo},
      {'register': 'gmsd', 'here': in_gmsd}
    ]) as place
  from persons
)
select
  place.register as register,
  count(*) filter (where place.here and registers >= 2) as persons
from held
group by place.register
