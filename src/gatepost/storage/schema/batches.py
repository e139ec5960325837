"""Batches of mail that can be stopped as one, and what was decided about them."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from gatepost.storage.schema.metadata import Instant, metadata

mail_batches = Table(
    "mail_batches",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("account_id", "id", name="pk_mail_batches"),
)
Index(None, mail_batches.c.created_at)

scheduled_sends = Table(
    "scheduled_sends",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("batch_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    PrimaryKeyConstraint("account_id", "batch_id", name="pk_scheduled_sends"),
    ForeignKeyConstraint(
        ["account_id", "batch_id"],
        ["mail_batches.account_id", "mail_batches.id"],
        name="fk_scheduled_sends_mail_batches",
        ondelete="CASCADE",
    ),
    CheckConstraint("status IN ('pause', 'cancel')", name="status"),
)
