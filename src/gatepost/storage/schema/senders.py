"""As whom an account may send."""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gatepost.storage.schema.metadata import Instant, metadata

domains = Table(
    "domains",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("verified_at", Instant),
    CheckConstraint("state IN ('pending', 'verified')", name="state"),
)
# One name has one verified holder: the database itself says so, whatever two processes attempt at once.
_verified = text("state = 'verified'")
Index("uq_domains_verified_name", domains.c.name, unique=True, sqlite_where=_verified, postgresql_where=_verified)

dkim_keys = Table(
    "dkim_keys",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("domain_name", Text, primary_key=True),
    Column("selector", Text, primary_key=True),
    # The order in which a domain's keys sign is part of what it is.
    Column("position", Integer, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("sealed_private_key", LargeBinary, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    ForeignKeyConstraint(["account_id", "domain_name"], ["domains.account_id", "domains.name"], ondelete="CASCADE"),
)

# A parent lets a subuser send as a domain that stays its own.
domain_assignments = Table(
    "domain_assignments",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("domain_name", Text, primary_key=True),
    Column("subuser_id", Text, ForeignKey("accounts.id"), primary_key=True),
    ForeignKeyConstraint(["account_id", "domain_name"], ["domains.account_id", "domains.name"], ondelete="CASCADE"),
)
Index(None, domain_assignments.c.subuser_id)

single_senders = Table(
    "single_senders",
    metadata,
    # AUTOINCREMENT: the number of a sender that is gone is never given to another one.
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("email", Text, nullable=False),
    # A JSON object of text: what the sender says about itself.
    Column("details", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("verified_at", Instant),
    # There is one exactly while it can be used.
    Column("token_hash", LargeBinary, unique=True),
    Column("token_expires_at", Instant),
    CheckConstraint("state IN ('pending', 'verified')", name="state"),
    UniqueConstraint("account_id", "email"),
    sqlite_autoincrement=True,
)

# What the operator has to say of names that look like others'. It outlives the claim.
domain_reviews = Table(
    "domain_reviews",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("looks_like", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("held_at", Instant, nullable=False),
    Column("decided_at", Instant),
    CheckConstraint("state IN ('held', 'approved', 'rejected')", name="state"),
)
