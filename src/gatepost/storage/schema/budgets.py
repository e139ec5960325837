"""What has been taken of keys' budgets, and to whom accounts have written."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, PrimaryKeyConstraint, Table, Text

from gatepost.storage.schema.metadata import Instant, metadata

# One row a limit, for its present hour or day: it begins anew when the next begins.
budget_uses = Table(
    "budget_uses",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("purse_id", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("taken", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "purse_id", "measure"),
)

# 64 bits of a keyed hash of the address; ``noted_on`` is a day since 1970.
known_recipients = Table(
    "known_recipients",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("digest", BigInteger, nullable=False),
    Column("noted_on", Integer, nullable=False),
    PrimaryKeyConstraint("account_id", "digest"),
    sqlite_with_rowid=False,
)
