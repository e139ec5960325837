"""Single senders, and reviews of domains that look like another's."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "single_senders",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("verified_at", sa.BigInteger),
        sa.Column("token_hash", sa.LargeBinary),
        sa.Column("token_expires_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_single_senders"),
        sa.CheckConstraint("state IN ('pending', 'verified')", name="ck_single_senders_state"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_single_senders_accounts"),
        sa.UniqueConstraint("token_hash", name="uq_single_senders_token_hash"),
        sa.UniqueConstraint("account_id", "email", name="uq_single_senders_account_id_email"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "domain_reviews",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("looks_like", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("held_at", sa.BigInteger, nullable=False),
        sa.Column("decided_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("account_id", "name", name="pk_domain_reviews"),
        sa.CheckConstraint("state IN ('held', 'approved', 'rejected')", name="ck_domain_reviews_state"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_domain_reviews_accounts"),
    )
