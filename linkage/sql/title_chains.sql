-- grain in: one row per person x title. grain out: one row per chain of titles.
-- why: titles with a gap of at most 30 days are one trajectory; an unknown end leaves the chain open.
-- source: linkage.md sections 2 and 7, Title ends. 9999-12-31 stands for an unknown end.
create table title_chains as
with
breaks as (
  select
    *,
    coalesce(title_begin - max(title_end) over earlier > $chain_gap_days::integer, true) as is_new
  from titles
  window earlier as (
    partition by person_id
    order by title_begin, title_end, titel_code
    rows between unbounded preceding and 1 preceding
  )
),
numbered as (
  select
    *,
    sum(is_new::integer) over (
      partition by person_id
      order by title_begin, title_end, titel_code
      rows between unbounded preceding and current row
    ) as chain
  from breaks
),
chained as (
  select
    person_id,
    min(title_begin) as chain_begin,
    max(title_end) as title_end,
    count(*)::integer as titles,
    bool_or(realised) as realised,
    first(
      {'status': status, 'titel_code': titel_code}
      order by title_end desc, status_rank, title_begin desc, titel_code
    ) as latest
  from numbered
  group by person_id, chain
)
select
  c.person_id,
  c.chain_begin,
  nullif(c.title_end, date '9999-12-31') as title_end,
  c.latest.status as status,
  c.titles,
  c.latest.titel_code as titel_code,
  t.titel_groep,
  c.realised
from chained as c
join ref_titel as t
  on t.titel_code = c.latest.titel_code
