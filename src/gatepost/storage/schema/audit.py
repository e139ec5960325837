"""The audit log: entries and heads."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from gatepost.storage.schema.metadata import metadata

# The log names what it is about and outlives it: no foreign key may make an entry go, or stand in the way of one.
audit_entries = Table(
    "audit_entries",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    # JSON in ASCII, exactly the octets that were linked (tenancy.audit.entry).
    Column("record", LargeBinary, nullable=False),
    Column("link", LargeBinary, nullable=False),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("link", LargeBinary, nullable=False),
    Column("code", LargeBinary, nullable=False),
)
