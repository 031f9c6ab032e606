-- grain in: a pseudonym, its label and the label it must have. grain out: the pseudonym, or an error that names both.
-- why: a join over two domains finds nobody and says nothing; as the join key this speaks before anything is joined.
-- source: pseudonymisation.md section 6, rules 4 and 5.
create macro in_domain(pseudonym, label, expected) as case
  when label is null then error('wrong_domain: a pseudonym column carries no label')
  when label = expected then pseudonym
  else error('wrong_domain: ' || label || ' does not meet ' || expected)
end
