-- grain in: a half-year as text, 2022H1. grain out: its number (2 x year, plus 1 for the second half).
-- why: half-years as whole numbers compare and count cheaply.
-- source: registers.md 6.4 (verslagperiode).
create macro half_number(period) as
  2 * period[1:4]::integer + period[6:6]::integer - 1
