-- grain in: linked rows without a number. grain out: one row per person they belong to, in key_person.
-- why: rows without a number join their person as other rows do.
-- source: linkage.md section 7, Persons.
insert into key_person
select distinct
  4::utinyint as kind,
  key,
  person_id::integer as person_id
from fallback_person
