-- grain in: one row per current row with a fallback key. grain out: one row per owner x combination of keys, numbered.
-- why: owner is the person of the row's number, or nobody; rows with equal keys are one record. Nobody's come first.
-- source: linkage.md section 7, Persons; numbers follow the 16 bytes, so they depend on content alone.
create table fallback_profiles as
with
keyed as (
  select
    f.register,
    f.sequence,
    f.row_id,
    m.person_id,
    f.fb_a[1:16]::uuid as a,
    f.fb_b[1:16]::uuid as b,
    f.fb_c[1:16]::uuid as c,
    f.fb_d[1:16]::uuid as d,
    f.fb_e[1:16]::uuid as e,
    f.fb_f[1:16]::uuid as f,
    f.fb_g[1:16]::uuid as g
  from fallback_in as f
  left join key_person as m
    on m.kind = case
      when f.bsn is not null then 1
      when f.skn is not null then 2
      when f.vip is not null then 3
    end
    and m.key = coalesce(f.bsn, f.skn, f.vip)[1:16]::uuid
  anti join replaced as r
    on f.register = 'gmsd'
    and r.sequence = f.sequence
    and r.row_id = f.row_id
  where coalesce(f.fb_a, f.fb_b, f.fb_c, f.fb_d, f.fb_e, f.fb_f, f.fb_g) is not null
),
grouped as (
  select
    person_id,
    a,
    b,
    c,
    d,
    e,
    f,
    g,
    count(*) as rows,
    bit_or(1 << r.register_bit) as registers,
    min({'register': k.register, 'sequence': k.sequence, 'row_id': k.row_id}) as sample
  from keyed as k
  join ref_register as r
    on r.register = k.register
  group by person_id, a, b, c, d, e, f, g
)
select
  (row_number() over (order by person_id is not null, person_id, a, b, c, d, e, f, g) - 1)::integer as profile,
  *,
  (a is null)::integer + 2 * (b is null)::integer + 4 * (c is null)::integer + 8 * (d is null)::integer
  + 16 * (e is null)::integer + 32 * (f is null)::integer + 64 * (g is null)::integer as missing
from grouped
