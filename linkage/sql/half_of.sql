-- grain in: a day. grain out: the number of its half-year (2 x year, plus 1 for the second half).
-- why: half-years as whole numbers compare and count cheaply.
-- source: registers.md 6.4 (verslagperiode).
create macro half_of(day) as
  (2 * year(day) + (month(day) > 6)::integer)::integer
