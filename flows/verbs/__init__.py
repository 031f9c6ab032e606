"""The verbs of `koppel` by topic: one module each, registered in flows/cli.py."""
