"""What was found of each record, links lent to subusers, and the settings that our own zone was made with."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add to the tables; what was there stays as it is."""
    op.add_column("domains", sa.Column("records_found", sa.JSON))
    op.add_column("branded_links", sa.Column("records_found", sa.JSON))
    op.add_column("dns_zone", sa.Column("settings_hash", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "link_assignments",
        sa.Column("subuser_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("link_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("subuser_id", name="pk_link_assignments"),
        sa.ForeignKeyConstraint(["subuser_id"], ["accounts.id"], name="fk_link_assignments_accounts_subuser"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_link_assignments_accounts"),
        sa.ForeignKeyConstraint(
            ["link_id"], ["branded_links.id"], name="fk_link_assignments_branded_links", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_link_assignments_link_id", "link_assignments", ["link_id"])
