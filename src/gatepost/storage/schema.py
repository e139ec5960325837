"""Every table of the control plane, once.

The tables are made by ``migrations``, never from here: this is what the stores build their statements on, and a test
proves that both say the same. Types and clauses are those that SQLite and PostgreSQL share.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

SCHEMA_REVISION: Final = "0003"
"""The newest migration this program was written for; revisions sort as text."""


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant, at rest as whole microseconds since 1970: exact, ordered, the same in every engine."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        """Return the microseconds; a naive datetime is a bug and raises ``TypeError``."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the instant."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("state IN ('active', 'suspended', 'closed')", name="state"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    # HMAC-SHA-256 of the secret under the keyring's pepper; the secret itself is nowhere.
    Column("secret_hash", LargeBinary, nullable=False),
    # Sorted JSON arrays of text. They are read with their key, never searched.
    Column("scopes", JSON, nullable=False),
    Column("allowed_networks", JSON, nullable=False),
    Column("allowed_authors", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Column("last_used_from", Text),
    CheckConstraint("length(secret_hash) = 32", name="secret_hash"),
)
Index(None, api_keys.c.account_id)

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

# The log names what it is about and outlives it: no foreign key may make an entry go, or stand in the way of one.
audit_entries = Table(
    "audit_entries",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    # JSON in ASCII, exactly the octets that were linked (tenancy.audit.entry).
    Column("record", LargeBinary, nullable=False),
    Column("link", LargeBinary, nullable=False),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("link", LargeBinary, nullable=False),
    Column("code", LargeBinary, nullable=False),
)

# One row. Raised first in every writing transaction on PostgreSQL (storage.postgresql); SQLite counts by itself.
access_version = Table(
    "access_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="id"),
)
