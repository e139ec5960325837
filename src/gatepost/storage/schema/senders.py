"""As whom an account may send."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from gatepost.storage.schema.metadata import Instant, metadata

domains = Table(
    "domains",
    metadata,
    # AUTOINCREMENT: the number of a claim that is gone is never given to another one.
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("verified_at", Instant),
    Column("return_path", Text, nullable=False),
    # Where the claim's records stand in our own zone; nothing else may ever stand there.
    Column("label", Text, unique=True),
    Column("is_default", Boolean, nullable=False),
    Column("custom_spf", Boolean, nullable=False),
    # A sorted JSON array of text.
    Column("addresses", JSON, nullable=False),
    Column("checked_at", Instant),
    Column("failing_since", Instant),
    Column("rotation_requested_at", Instant),
    Column("rotation_is_urgent", Boolean, nullable=False),
    # The serial of our own zone with which its records last changed there.
    Column("zone_serial", Integer, nullable=False),
    # The keys of the records that were right when last looked for; NULL where that was not noted.
    Column("records_found", JSON(none_as_null=True)),
    CheckConstraint("state IN ('pending', 'verified')", name="state"),
    sqlite_autoincrement=True,
)
Index(None, domains.c.account_id, domains.c.name)

# One name has one verified holder: the database itself says so, whatever two processes attempt at once. A row is there
# exactly while a claim of that account to that name is verified.
domain_owners = Table(
    "domain_owners",
    metadata,
    Column("name", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
)

# The serial of our own zone: one row, counted up with each change of what stands there, be it that the settings which
# it is made with have changed: they are known by a hash.
dns_zone = Table(
    "dns_zone",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("settings_hash", Text, nullable=False, server_default=""),
)

dkim_keys = Table(
    "dkim_keys",
    metadata,
    Column("domain_id", Integer, ForeignKey("domains.id", ondelete="CASCADE"), primary_key=True),
    Column("selector", Text, primary_key=True),
    # The order in which a domain's keys sign is part of what it is.
    Column("position", Integer, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("changed_at", Instant),
    Column("sealed_private_key", LargeBinary, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("state IN ('next', 'active', 'retired', 'emptied')", name="state"),
)

# A parent lets a subuser send as a domain that stays its own. Several claims may be to that name: the last one that is
# removed takes the assignments with it.
domain_assignments = Table(
    "domain_assignments",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("domain_name", Text, primary_key=True),
    Column(
        "subuser_id",
        Text,
        ForeignKey("accounts.id", name="fk_domain_assignments_accounts_subuser"),
        primary_key=True,
    ),
)
Index(None, domain_assignments.c.subuser_id)

branded_links = Table(
    "branded_links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("domain", Text, nullable=False),
    Column("subdomain", Text, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("is_valid", Boolean, nullable=False),
    Column("checked_at", Instant),
    Column("records_found", JSON(none_as_null=True)),
    UniqueConstraint("account_id", "domain", "subdomain"),
    sqlite_autoincrement=True,
)

# A parent lets a subuser use a link that stays its own: one link for a subuser.
link_assignments = Table(
    "link_assignments",
    metadata,
    Column(
        "subuser_id",
        Text,
        ForeignKey("accounts.id", name="fk_link_assignments_accounts_subuser"),
        primary_key=True,
    ),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("link_id", Integer, ForeignKey("branded_links.id", ondelete="CASCADE"), nullable=False),
)
Index(None, link_assignments.c.link_id)

reverse_dns = Table(
    "reverse_dns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("ip", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("subdomain", Text, nullable=False),
    Column("is_valid", Boolean, nullable=False),
    Column("checked_at", Instant),
    UniqueConstraint("account_id", "ip"),
    sqlite_autoincrement=True,
)

single_senders = Table(
    "single_senders",
    metadata,
    # AUTOINCREMENT: the number of a sender that is gone is never given to another one.
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("email", Text, nullable=False),
    # A JSON object of text: what the sender says about itself.
    Column("details", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("verified_at", Instant),
    # There is one exactly while it can be used.
    Column("token_hash", LargeBinary, unique=True),
    Column("token_expires_at", Instant),
    CheckConstraint("state IN ('pending', 'verified')", name="state"),
    UniqueConstraint("account_id", "email"),
    sqlite_autoincrement=True,
)

# What the operator has to say of names that look like others'. It outlives the claim.
domain_reviews = Table(
    "domain_reviews",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("looks_like", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("held_at", Instant, nullable=False),
    Column("decided_at", Instant),
    CheckConstraint("state IN ('held', 'approved', 'rejected')", name="state"),
)
