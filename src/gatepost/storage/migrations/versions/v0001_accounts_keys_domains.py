"""Accounts, API keys, authenticated domains and their DKIM keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    _create_access()
    _create_senders()


def _create_access() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.CheckConstraint("state IN ('active', 'suspended', 'closed')", name="ck_accounts_state"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("allowed_networks", sa.JSON, nullable=False),
        sa.Column("allowed_authors", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("last_used_from", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.CheckConstraint("length(secret_hash) = 32", name="ck_api_keys_secret_hash"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_api_keys_accounts"),
    )
    op.create_index("ix_api_keys_account_id", "api_keys", ["account_id"])


def _create_senders() -> None:
    op.create_table(
        "domains",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("verified_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("account_id", "name", name="pk_domains"),
        sa.CheckConstraint("state IN ('pending', 'verified')", name="ck_domains_state"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_domains_accounts"),
    )
    verified = sa.text("state = 'verified'")
    op.create_index(
        "uq_domains_verified_name", "domains", ["name"], unique=True, sqlite_where=verified, postgresql_where=verified
    )
    op.create_table(
        "dkim_keys",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("domain_name", sa.Text, nullable=False),
        sa.Column("selector", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "domain_name", "selector", name="pk_dkim_keys"),
        sa.ForeignKeyConstraint(
            ["account_id", "domain_name"],
            ["domains.account_id", "domains.name"],
            name="fk_dkim_keys_domains",
            ondelete="CASCADE",
        ),
    )
