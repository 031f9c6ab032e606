"""Verbs of `koppel`, one module per topic; flows/cli.py registers each with one line."""
