-- grain in: the number of a half-year. grain out: its name, 4044 is 2022H1.
-- why: what people read.
-- source: registers.md 6.4 (verslagperiode).
create macro half_name(half) as
  (half // 2)::varchar || 'H' || (half % 2 + 1)::varchar
