"""Subusers: accounts under an account, their credits, and the domains assigned to them; and the state under review."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_STATES = "state IN ('active', 'under review', 'suspended', 'closed')"


def upgrade() -> None:
    """Widen the accounts, and make the tables beside them."""
    if op.get_bind().dialect.name == "sqlite":
        _make_accounts_anew()
    else:
        _widen_accounts()
    op.create_index("ix_accounts_parent_id", "accounts", ["parent_id"])
    op.create_table(
        "account_credits",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("period", sa.Text),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("extra", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_account_credits"),
        sa.CheckConstraint("period IN ('daily', 'weekly', 'monthly')", name="ck_account_credits_period"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_account_credits_accounts"),
    )
    op.create_table(
        "domain_assignments",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("domain_name", sa.Text, nullable=False),
        sa.Column("subuser_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "domain_name", "subuser_id", name="pk_domain_assignments"),
        sa.ForeignKeyConstraint(
            ["account_id", "domain_name"],
            ["domains.account_id", "domains.name"],
            name="fk_domain_assignments_domains",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["subuser_id"], ["accounts.id"], name="fk_domain_assignments_accounts"),
    )
    op.create_index("ix_domain_assignments_subuser_id", "domain_assignments", ["subuser_id"])


def _new_columns() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("parent_id", sa.Text),
        sa.Column("email", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("disabled_at", sa.BigInteger),
        sa.Column("website_disabled_at", sa.BigInteger),
        sa.Column("addresses", sa.JSON, nullable=False, server_default=sa.text("'[]'")),
    )


def _widen_accounts() -> None:
    for column in _new_columns():
        op.add_column("accounts", column)
    op.create_foreign_key("fk_accounts_accounts", "accounts", "accounts", ["parent_id"], ["id"])
    op.drop_constraint("ck_accounts_state", "accounts", type_="check")
    op.create_check_constraint("ck_accounts_state", "accounts", _STATES)


def _make_accounts_anew() -> None:
    """SQLite cannot alter a constraint. The rows that refer to accounts find them again before the commit looks."""
    op.execute("PRAGMA defer_foreign_keys=ON")
    op.execute("CREATE TEMPORARY TABLE accounts_before AS SELECT id, name, state, created_at FROM accounts")
    op.drop_table("accounts")
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        *_new_columns(),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.CheckConstraint(_STATES, name="ck_accounts_state"),
        sa.ForeignKeyConstraint(["parent_id"], ["accounts.id"], name="fk_accounts_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )
    op.execute("INSERT INTO accounts (id, name, state, created_at) SELECT * FROM accounts_before")
    op.execute("DROP TABLE accounts_before")
