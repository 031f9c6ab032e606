-- grain in: decisions per profile. grain out: one row per row without a number that was linked, with person and key.
-- why: from here on such a row is found like any other: by a key (of kind 4) of its person.
-- source: linkage.md section 7, Persons.
insert into fallback_person
select
  r.register,
  r.sequence,
  r.row_id,
  printf('00000000-0000-4000-8000-%012x', d.person_id)::uuid as key,
  d.person_id,
  d.probability
from fallback_rows as r
join fallback_decisions as d
  on d.profile = r.profile
where d.person_id is not null
