-- grain in: a municipality code (2023). grain out: 0 usable, 1 unknown (0000) or RNI (1999), 2 empty.
-- why: a usable code anywhere goes before 0000 and 1999, those go before nothing.
-- source: linkage.md section 7, Municipality.
create macro place_rank(code) as
  case
    when code is null then 2
    when code in ('0000', '1999') then 1
    else 0
  end
