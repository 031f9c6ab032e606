"""Verbs of the `koppel` command, one module per topic; flows/cli.py registers them."""
