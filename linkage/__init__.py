"""What follows: from pseudonymised register rows to persons, spells, title ends and what came after them.

DuckDB lives here and in `release`. No identifier and no key ever arrives: see the import contracts.
"""
