"""Restore rows from a table's history, inside the transaction."""
