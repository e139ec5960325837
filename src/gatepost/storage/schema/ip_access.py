"""From where accounts may be reached, who came from where, and how much accounts may send."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from gatepost.storage.schema.metadata import Instant, metadata

# One row an account that ever had a rule or another mode than the first.
ip_access_lists = Table(
    "ip_access_lists",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("mode", Text, nullable=False),
    # The highest rule id ever given: none is given twice.
    Column("last_rule_id", Integer, nullable=False),
    CheckConstraint("mode IN ('enforced', 'observed')", name="mode"),
)

ip_access_rules = Table(
    "ip_access_rules",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("network", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("account_id", "network"),
)

access_attempts = Table(
    "access_attempts",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("address", Text, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("verdict", Text, primary_key=True),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("attempts", BigInteger, nullable=False),
)
Index(None, access_attempts.c.last_at)

# What the operator has set for an account; null where the settings file decides.
sending_limits = Table(
    "sending_limits",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("messages_per_minute", Integer),
    Column("messages_per_hour", Integer),
    Column("recipients_per_minute", Integer),
    Column("recipients_per_hour", Integer),
)
