"""Accounts, and the people in them."""

from sqlalchemy import CheckConstraint, Column, Table, Text

from gatepost.storage.schema.metadata import Instant, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("state IN ('active', 'suspended', 'closed')", name="state"),
)
