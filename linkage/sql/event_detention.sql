-- grain in: one row per event and detention spell of the person. grain out: one row per event with a detention.
-- why: the entry route, prior detention, and the municipalities that the last spell tells.
-- source: linkage.md section 7, Detention and Municipality. Half-open; a begin-less spell counts as the day before its end.
create table event_detention as
with
met as (
  select
    e.person_id,
    e.chain_begin,
    e.title_end,
    d.sector,
    d.detention_begin,
    coalesce(d.detention_begin, d.detention_end - 1) as inside_from,
    coalesce(d.detention_end, date '9999-12-31') as inside_until,
    coalesce(d.detention_begin, d.detention_end) as anchor,
    d.gemeente_begin,
    d.gemeente_settlement
  from events as e
  join detention_spells as d
    on d.person_id = e.person_id
)
select
  person_id,
  chain_begin,
  bool_or(
    (
      inside_from < chain_begin
      and inside_until > (chain_begin - to_months($lookback_months::integer))::date
    )
    or (inside_from = chain_begin and inside_until > chain_begin)
  ) as entry_detention,
  bool_or(
    inside_from < title_end
    and inside_until > (title_end - to_months($lookback_months::integer))::date
  ) as detention_24m,
  bool_or(
    inside_from < title_end
    and inside_until > (title_end - to_months($lookback_months::integer))::date
    and least(inside_until, title_end) > (detention_begin + to_months($long_detention_months::integer))::date
  ) as long_detention,
  first(
    {'origin': gemeente_begin, 'settlement': gemeente_settlement}
    order by anchor desc, inside_until desc, sector desc, gemeente_settlement nulls last, gemeente_begin nulls last
  ) filter (where anchor <= title_end) as last_spell
from met
group by person_id, chain_begin
