"""The same statements on an existing distributed engine: Sail or Spark, both reached by Spark's own API.

DuckDB's dialect is the one the statements are written in; nothing here is imported unless an engine is asked for.
"""
