"""Batches of mail that can be stopped as one."""

import sqlalchemy as sa
from alembic import op

from gatepost.storage.schema.metadata import Instant

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "mail_batches",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_mail_batches"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_mail_batches_accounts"),
    )
    op.create_index("ix_mail_batches_created_at", "mail_batches", ["created_at"])
    op.create_table(
        "scheduled_sends",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("decided_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "batch_id", name="pk_scheduled_sends"),
        sa.ForeignKeyConstraint(
            ["account_id", "batch_id"],
            ["mail_batches.account_id", "mail_batches.id"],
            name="fk_scheduled_sends_mail_batches",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("status IN ('pause', 'cancel')", name="ck_scheduled_sends_status"),
    )
