"""Comparing what is declared with what is reflected."""
