"""Rows brought back from a table's past, inside the transaction."""
