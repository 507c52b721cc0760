"""Accounts: the tenants of a server."""
