"""Lists of addresses, attempts, and limits of accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
    _create_lists()
    op.create_table(
        "access_attempts",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "address", "method", "verdict", name="pk_access_attempts"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_access_attempts_accounts"),
    )
    op.create_index("ix_access_attempts_last_at", "access_attempts", ["last_at"])
    op.create_table(
        "sending_limits",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("messages_per_minute", sa.Integer),
        sa.Column("messages_per_hour", sa.Integer),
        sa.Column("recipients_per_minute", sa.Integer),
        sa.Column("recipients_per_hour", sa.Integer),
        sa.PrimaryKeyConstraint("account_id", name="pk_sending_limits"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sending_limits_accounts"),
    )


def _create_lists() -> None:
    op.create_table(
        "ip_access_lists",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("last_rule_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_ip_access_lists"),
        sa.CheckConstraint("mode IN ('enforced', 'observed')", name="ck_ip_access_lists_mode"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_ip_access_lists_accounts"),
    )
    op.create_table(
        "ip_access_rules",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_ip_access_rules"),
        sa.UniqueConstraint("account_id", "network", name="uq_ip_access_rules_account_id_network"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_ip_access_rules_accounts"),
    )
