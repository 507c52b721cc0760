"""Reflection out of the catalog."""
