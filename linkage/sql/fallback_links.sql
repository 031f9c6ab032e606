-- grain in: rows without a number, decisions per profile. grain out: one row per such row, with its best candidate.
-- why: every link carries its probability, and what was not linked says why; the candidate is one row of that person.
-- source: linkage.md section 7, Persons.
create table fallback_links as
select
  r.register,
  r.sequence,
  r.row_id,
  o.sample.register as other_register,
  o.sample.sequence as other_sequence,
  o.sample.row_id as other_row_id,
  d.best as probability,
  d.outcome
from fallback_rows as r
join fallback_decisions as d
  on d.profile = r.profile
left join fallback_profiles as o
  on o.profile = d.other
