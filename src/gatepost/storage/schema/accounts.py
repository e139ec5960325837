"""Accounts, their subusers, and what these may send."""

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, Text, text

from gatepost.storage.schema.metadata import Instant, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("parent_id", Text, ForeignKey("accounts.id")),
    Column("email", Text, nullable=False, server_default=text("''")),
    # What the parent decides; an operator's decisions are in ``state``, which no parent can change.
    Column("disabled_at", Instant),
    Column("website_disabled_at", Instant),
    # A sorted JSON array of text, read with the account.
    Column("addresses", JSON, nullable=False, server_default=text("'[]'")),
    # Both or neither: where copies of every n-th message go.
    Column("monitor_email", Text),
    Column("monitor_frequency", BigInteger),
    CheckConstraint("state IN ('active', 'under review', 'suspended', 'closed')", name="state"),
)
Index(None, accounts.c.parent_id)

# An account without a row is unlimited.
account_credits = Table(
    "account_credits",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    # Null: they never come back.
    Column("period", Text),
    Column("total", BigInteger, nullable=False),
    Column("extra", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("since", Instant, nullable=False),
    CheckConstraint("period IN ('daily', 'weekly', 'monthly')", name="period"),
)
