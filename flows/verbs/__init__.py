"""Verbs of `koppel` that stand in a module of their own."""
