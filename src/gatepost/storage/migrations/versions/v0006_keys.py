"""Keys: recipient domains, budgets, honey keys, the client of the last use; what budgets have been taken of."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the columns, whose defaults are what the last release means by not knowing them, and the tables."""
    for column in (
        sa.Column("allowed_recipient_domains", sa.JSON, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("budget", sa.JSON(none_as_null=True)),
        sa.Column("charges", sa.JSON, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("is_honey", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("last_used_by", sa.Text),
    ):
        op.add_column("api_keys", column)
    op.create_table(
        "budget_uses",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("purse_id", sa.Text, nullable=False),
        sa.Column("measure", sa.Text, nullable=False),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("taken", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "purse_id", "measure", name="pk_budget_uses"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_budget_uses_accounts"),
    )
    op.create_table(
        "known_recipients",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("digest", sa.BigInteger, nullable=False),
        sa.Column("noted_on", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "digest", name="pk_known_recipients"),
        sqlite_with_rowid=False,
    )
