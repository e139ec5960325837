"""The number that every commit raises on PostgreSQL; SQLite counts its commits itself."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table and its one row."""
    table = op.create_table(
        "access_version",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_access_version"),
        sa.CheckConstraint("id = 1", name="ck_access_version_id"),
    )
    op.bulk_insert(table, [{"id": 1, "version": 0}])
