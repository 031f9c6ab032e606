-- grain in: one row per delivered row and register. grain out: the same without replaced gmsd rows.
-- why: a replaced row takes no part at all: no person, no pair of identifiers.
-- source: linkage.md section 7, GMSD and Persons.
create view current_links as
select
  register,
  sequence,
  row_id,
  bsn,
  skn,
  vip
from links
where register <> 'gmsd'
union all
-- Only gmsd rows meet the replaced ones: a join of all rows would not fit when memory is short.
select
  l.register,
  l.sequence,
  l.row_id,
  l.bsn,
  l.skn,
  l.vip
from links as l
anti join replaced as r
  on r.sequence = l.sequence
  and r.row_id = l.row_id
where l.register = 'gmsd'
