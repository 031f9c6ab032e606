-- grain in: judged rows without a number. grain out: one row per stratum x value.
-- why: linkage error falls on some groups more than on others.
-- source: linkage.md section 5. Findable: the person has rows with a number in some register.
with
cells as (
  select
    unnest([
      {'place': 1, 'stratum': 'alle', 'value': 'alle'},
      {'place': 2, 'stratum': 'geslacht', 'value': geslacht},
      {'place': 3, 'stratum': 'leeftijd', 'value': leeftijd},
      {'place': 4, 'stratum': 'register', 'value': register},
      {'place': 5, 'stratum': 'registerpaar', 'value': paar}
    ]) as cell,
    outcome = 'LINKED' as linked,
    findable,
    correct
  from judged
)
select
  cell.stratum as stratum,
  cell.value as value,
  count(*) as n,
  count(*) filter (where findable) as findable,
  count(*) filter (where linked) as linked,
  count(*) filter (where linked and correct) as correct
from cells
group by cell.place, cell.stratum, cell.value
order by cell.place, cell.value
