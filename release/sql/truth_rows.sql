-- grain in: planted rows and delivered rows, by content. grain out: one row per delivered row with its true person.
-- why: the truth and the run share no number; what is told of a row is nearly unique, and what is not is left out.
-- source: linkage.md section 5: on synthetic data with planted truth, precision and recall of person links.
create table true_rows as
with
once as (
  select
    register,
    content,
    any_value(person) as person
  from planted_rows
  where person >= 0
  group by register, content
  having count(distinct person) = 1
)
select
  d.register,
  d.sequence,
  d.row_id,
  o.person
from delivered_rows as d
join once as o
  on o.register = d.register
  and o.content = d.content;

create table numbered as
select distinct person
from planted_rows
where has_number;

create table judged as
select
  l.register,
  l.outcome,
  l.probability,
  t.person,
  p.geslacht,
  case
    when 2021 - p.geboortejaar < 30 then '00-29'
    when 2021 - p.geboortejaar < 45 then '30-44'
    when 2021 - p.geboortejaar < 60 then '45-59'
    when 2021 - p.geboortejaar < 75 then '60-74'
    else '75+'
  end as leeftijd,
  l.register || ' - ' || coalesce(l.other_register, 'geen') as paar,
  n.person is not null as findable,
  o.person is not distinct from t.person as correct
from fallback_links as l
join true_rows as t
  on t.register = l.register
  and t.sequence = l.sequence
  and t.row_id = l.row_id
left join true_rows as o
  on o.register = l.other_register
  and o.sequence = l.other_sequence
  and o.row_id = l.other_row_id
join true_persons as p
  on p.person = t.person
left join numbered as n
  on n.person = t.person
where l.outcome <> 'LINKED'
  or o.person is not null
