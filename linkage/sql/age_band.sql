-- grain in: an age in whole years (year of the event minus birth year). grain out: its band, or ONBEKEND.
-- why: the bands of CBS's Wmo tables, so that figures can be laid side by side.
-- source: registers.md 6.5.
create macro age_band(age) as
  case
    when age is null then 'ONBEKEND'
    when age < 30 then '0-29'
    when age < 45 then '30-44'
    when age < 60 then '45-59'
    when age < 75 then '60-74'
    when age < 85 then '75-84'
    else '85+'
  end
