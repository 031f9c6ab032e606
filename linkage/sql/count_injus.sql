-- grain in: one row per notice or tbs event. grain out: one row per published key (indicator x breakdown x year).
-- why: the register recounted by its own definition, next to what was printed; notices by event date.
-- source: linkage.md section 7, Years; keys of schemas/reference/national_figures.csv.
insert into figures
with
notices as (
  select
    case soort_melding when 'BEGIN_DETENTIE' then 'begin_detention' else 'end_detention' end as notice,
    case sector when 'FORZO' then 'ForZo' else sector end as sector,
    year(datum) as year,
    gemeente_brp
  from injus
  where soort_melding <> 'VERLOF'
),
aside as (
  select
    case kind when 'BEGIN_DETENTIE' then 'begin_detention' else 'end_detention' end as notice,
    year,
    n
  from set_aside
  where kind in ('BEGIN_DETENTIE', 'EINDE_DETENTIE')
    and reason = 'JJI_BUITEN_BEREIK'
)
select 'injus', 'notices', 'notice=' || notice || ';sector=' || sector, year, count(*)
from notices
group by all
union all
select 'injus', 'notices', 'notice=' || notice || ';sector=GW+ForZo', year, count(*)
from notices
group by all
union all
select 'injus', 'notices', 'notice=' || notice || ';level=all_municipalities', year, sum(n)
from (
  select notice, year, 1 as n
  from notices
  union all
  select notice, year, n
  from aside
)
group by all
union all
select 'injus', 'notices', 'notice=' || n.notice || ';municipality=' || a.naam, n.year, count(*)
from notices as n
join ref_area as a
  on a.niveau = 'gemeente'
  and a.gemeente = n.gemeente_brp
group by all
union all
select
  'injus',
  case gebeurtenis
    when 'EERSTE_OPNAME' then 'inflow'
    when 'TRANSMURAAL_START' then 'tbs_transmural_leave_started'
    when 'PROEFVERLOF_START' then 'tbs_probationary_leave_started'
    else 'tbs_conditional_termination_started'
  end as indicator,
  case gebeurtenis when 'EERSTE_OPNAME' then 'sector=tbs;type=first_admission' else 'sector=tbs' end as breakdown,
  year(datum) as year,
  count(*)
from tbs_events
where gebeurtenis in ('EERSTE_OPNAME', 'TRANSMURAAL_START', 'PROEFVERLOF_START', 'VOORW_BEEINDIGING')
group by all
