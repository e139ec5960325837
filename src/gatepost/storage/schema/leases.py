"""Which process does what only one at a time may do."""

from sqlalchemy import Column, Table, Text

from gatepost.storage.schema.metadata import Instant, metadata

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Instant, nullable=False),
)
