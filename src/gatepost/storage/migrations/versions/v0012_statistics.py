"""Statistics by account and day, and the monitors of subusers."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_COUNTS = ("requests", "delivered", "deferred", "bounces", "blocks", "invalid_emails", "dropped")


def upgrade() -> None:
    """Make the tables; no subuser has a monitor yet."""
    op.add_column("accounts", sa.Column("monitor_email", sa.Text))
    op.add_column("accounts", sa.Column("monitor_frequency", sa.BigInteger))
    op.create_table(
        "statistics",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        *[sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0")) for name in _COUNTS],
        sa.PrimaryKeyConstraint("account_id", "day", name="pk_statistics"),
    )
    op.create_table(
        "counted_events",
        sa.Column("shard", sa.Text, nullable=False),
        sa.Column("event_id", sa.BigInteger, nullable=False),
        sa.Column("event_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_counted_events"),
    )
