"""Addresses of people that wait for proof, and how far the audit log has been gone through for notices."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the tables. What was done before the upgrade is told to nobody."""
    op.create_table(
        "email_changes",
        sa.Column("teammate_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("teammate_id", name="pk_email_changes"),
        sa.ForeignKeyConstraint(
            ["teammate_id"], ["teammates.id"], name="fk_email_changes_teammates", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_email_changes_accounts"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["console_sessions.id"], name="fk_email_changes_console_sessions", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("token_hash", name="uq_email_changes_token_hash"),
    )
    op.create_index("ix_email_changes_session_id", "email_changes", ["session_id"])
    op.create_table(
        "notice_cursors",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_notice_cursors"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_notice_cursors_accounts"),
    )
    op.execute(
        "INSERT INTO notice_cursors (account_id, sequence)"
        " SELECT audit_heads.account_id, audit_heads.sequence FROM audit_heads"
        " JOIN accounts ON accounts.id = audit_heads.account_id"
    )
