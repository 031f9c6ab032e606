-- grain in: the number of a half-year (2 x year, plus 1 for the second half). grain out: the first day after it.
-- why: intervals are half-open; an open arrangement runs to the end of a half-year.
-- source: linkage.md section 7, GMSD.
create macro half_end(half) as
  case
    when half % 2 = 0 then make_date(half // 2, 7, 1)
    else make_date(half // 2 + 1, 1, 1)
  end
