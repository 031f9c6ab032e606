"""Verbs of `koppel` by topic; flows/cli.py registers each with one line."""
