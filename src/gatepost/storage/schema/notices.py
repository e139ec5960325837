"""How far each account's audit log has been gone through for notices to its people."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from gatepost.storage.schema.metadata import metadata

notice_cursors = Table(
    "notice_cursors",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    # The number of the last entry that was looked at.
    Column("sequence", BigInteger, nullable=False),
)
