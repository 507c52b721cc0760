"""Compare declared objects with reflected ones."""
