-- grain in: one row per row with a fallback key and no number. grain out: the same with its profile.
-- why: decisions are about profiles; this brings them back to the rows.
-- source: linkage.md section 7, Persons.
create table fallback_rows as
select
  f.register,
  f.sequence,
  f.row_id,
  p.profile
from fallback_in as f
join fallback_profiles as p
  on p.person_id is null
  and p.a is not distinct from f.fb_a[1:16]::uuid
  and p.b is not distinct from f.fb_b[1:16]::uuid
  and p.c is not distinct from f.fb_c[1:16]::uuid
  and p.d is not distinct from f.fb_d[1:16]::uuid
  and p.e is not distinct from f.fb_e[1:16]::uuid
  and p.f is not distinct from f.fb_f[1:16]::uuid
  and p.g is not distinct from f.fb_g[1:16]::uuid
anti join replaced as r
  on f.register = 'gmsd'
  and r.sequence = f.sequence
  and r.row_id = f.row_id
where coalesce(f.bsn, f.skn, f.vip) is null
