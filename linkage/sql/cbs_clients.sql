-- grain in: one row per arrangement (of a range of persons). grain out: one row per range x group (THUIS, OPVANG) x year x age, with its people.
-- why: rows of nobody are no clients; telling people apart holds a row of each, and people of ranges add up.
-- source: registers.md 0.4 and 6.5: clients are persons with an arrangement in the year, by age.
create table cbs_clients as
with
years as (
  select distinct half // 2 as year
  from ref_period
),
clients as (
  select distinct
    w.person_id,
    w.wmo_group,
    y.year
  from wmo_arrangements as w
  join years as y
    on w.wmo_start < make_date(y.year + 1, 1, 1)
    and w.runs_until > make_date(y.year, 1, 1)
  where w.wmo_group in ('THUIS', 'OPVANG')
    and w.person_id between $first_person::bigint and $last_person::bigint
)
select
  c.wmo_group,
  c.year,
  c.year - p.geboortejaar as age,
  count(*) as persons
from clients as c
join persons as p
  on p.person_id = c.person_id
where p.linkable
  and p.person_id between $first_person::bigint and $last_person::bigint
group by all
