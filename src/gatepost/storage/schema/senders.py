"""As whom an account may send."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
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
