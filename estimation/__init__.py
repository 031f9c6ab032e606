"""How large the group is, per municipality, and how sure we are: from linked tables to estimates with intervals.

Tables in, tables out (schemas/estimates.py); no identifier, no key, no database. `estimate.estimate` is the door.
Method, assumptions and proofs: docs/methods.md.
"""
