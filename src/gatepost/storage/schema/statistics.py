"""What happened to mail, by account and day, and up to which event of each shard it is counted."""

from sqlalchemy import BigInteger, Column, Date, Table, Text, text

from gatepost.storage.schema.metadata import metadata

_ZERO = text("0")

# Without a foreign key: mail of an account that a restored control plane does not know is counted too.
statistics = Table(
    "statistics",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("requests", BigInteger, nullable=False, server_default=_ZERO),
    Column("delivered", BigInteger, nullable=False, server_default=_ZERO),
    Column("deferred", BigInteger, nullable=False, server_default=_ZERO),
    Column("bounces", BigInteger, nullable=False, server_default=_ZERO),
    Column("blocks", BigInteger, nullable=False, server_default=_ZERO),
    Column("invalid_emails", BigInteger, nullable=False, server_default=_ZERO),
    Column("dropped", BigInteger, nullable=False, server_default=_ZERO),
)

counted_events = Table(
    "counted_events",
    metadata,
    # The machine's name of its own and the shard's file.
    Column("shard", Text, primary_key=True),
    Column("event_id", BigInteger, nullable=False),
    # Of that event, in Unix milliseconds: tells a shard that was replaced from one that went on.
    Column("event_at", BigInteger, nullable=False),
)
