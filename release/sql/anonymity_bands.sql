-- grain in: one row per person with its k. grain out: one row: persons, classes, smallest k and persons per band of k.
-- why: the distribution of k; one number (the smallest) says too little.
-- source: disclosure.md section 1; registers.md section 9.
select
  count(*) as persons,
  min(k) as smallest,
  count(*) filter (where k = 1) as k_1,
  count(*) filter (where k between 2 and 4) as k_2_4,
  count(*) filter (where k between 5 and 9) as k_5_9,
  count(*) filter (where k between 10 and 49) as k_10_49,
  count(*) filter (where k >= 50) as k_50,
  count(*) filter (where k < $threshold::integer) as below,
  count(*) filter (where alike) as alike
from anonymity_persons
