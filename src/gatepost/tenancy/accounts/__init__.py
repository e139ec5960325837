"""Accounts: the tenants. People, factors and sessions join them here."""
