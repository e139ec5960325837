"""Credentials, and the count of changes to anybody's rights."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
    text,
)

from gatepost.storage.schema.metadata import Instant, metadata

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
    Column("allowed_recipient_domains", JSON, nullable=False, server_default=text("'[]'")),
    # {"purse": id, "account": id, limit: number …}, and an array of such: the grant's budget, and its charges.
    Column("budget", JSON(none_as_null=True)),
    Column("charges", JSON, nullable=False, server_default=text("'[]'")),
    Column("is_honey", Boolean, nullable=False, server_default=false()),
    Column("last_used_by", Text),
    CheckConstraint("length(secret_hash) = 32", name="secret_hash"),
)
Index(None, api_keys.c.account_id)

# One row. Raised first in every writing transaction on PostgreSQL (storage.postgresql); SQLite counts by itself.
access_version = Table(
    "access_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="id"),
)
