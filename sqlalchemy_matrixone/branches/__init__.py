"""Clones and data branches."""
