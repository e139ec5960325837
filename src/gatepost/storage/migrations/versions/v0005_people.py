"""The people of accounts: teammates, second factors, sessions, attempts, invitations and reset tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    _create_people()
    _create_factors()
    _create_sessions()
    _create_tokens()


def _create_people() -> None:
    op.create_table(
        "teammates",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("first_name", sa.Text, nullable=False),
        sa.Column("last_name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("profile", sa.JSON, nullable=False),
        sa.Column("sealed_password", sa.LargeBinary),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_teammates"),
        sa.CheckConstraint("role IN ('owner', 'admin', 'teammate')", name="ck_teammates_role"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_teammates_accounts"),
        sa.UniqueConstraint("email", name="uq_teammates_email"),
        sa.UniqueConstraint("username", name="uq_teammates_username"),
    )
    op.create_index("ix_teammates_account_id", "teammates", ["account_id"])


def _create_factors() -> None:
    op.create_table(
        "totp_factors",
        sa.Column("teammate_id", sa.Text, nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        sa.Column("enrolled_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("teammate_id", name="pk_totp_factors"),
        sa.ForeignKeyConstraint(
            ["teammate_id"], ["teammates.id"], name="fk_totp_factors_teammates", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("teammate_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sa.ForeignKeyConstraint(["teammate_id"], ["teammates.id"], name="fk_passkeys_teammates", ondelete="CASCADE"),
    )
    op.create_index("ix_passkeys_teammate_id", "passkeys", ["teammate_id"])
    op.create_table(
        "recovery_codes",
        sa.Column("teammate_id", sa.Text, nullable=False),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("teammate_id", "code_hash", name="pk_recovery_codes"),
        sa.ForeignKeyConstraint(
            ["teammate_id"], ["teammates.id"], name="fk_recovery_codes_teammates", ondelete="CASCADE"
        ),
    )


def _create_sessions() -> None:
    op.create_table(
        "console_sessions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("teammate_id", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("opened_by", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.Column("factor", sa.Text, nullable=False),
        sa.Column("proved_at", sa.BigInteger),
        sa.Column("is_password_due", sa.Boolean, nullable=False),
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("pending", sa.LargeBinary),
        sa.Column("pending_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_console_sessions"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_console_sessions_accounts"),
        sa.ForeignKeyConstraint(
            ["teammate_id"], ["teammates.id"], name="fk_console_sessions_teammates", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("token_hash", name="uq_console_sessions_token_hash"),
    )
    op.create_index("ix_console_sessions_teammate_id", "console_sessions", ["teammate_id"])
    op.create_table(
        "known_networks",
        sa.Column("teammate_id", sa.Text, nullable=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("teammate_id", "network", name="pk_known_networks"),
        sa.ForeignKeyConstraint(
            ["teammate_id"], ["teammates.id"], name="fk_known_networks_teammates", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", "subject", name="pk_sign_in_attempts"),
    )
    op.create_index("ix_sign_in_attempts_kind_subject_at", "sign_in_attempts", ["kind", "subject", "at"])
    op.create_index("ix_sign_in_attempts_at", "sign_in_attempts", ["at"])


def _create_tokens() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.CheckConstraint("role IN ('owner', 'admin', 'teammate')", name="ck_invitations_role"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_invitations_accounts"),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
    )
    op.create_index("ix_invitations_account_id", "invitations", ["account_id"])
    op.create_table(
        "reset_tokens",
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("teammate_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_reset_tokens"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_reset_tokens_accounts"),
        sa.ForeignKeyConstraint(
            ["teammate_id"], ["teammates.id"], name="fk_reset_tokens_teammates", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_reset_tokens_teammate_id", "reset_tokens", ["teammate_id"])
