"""Every table of the control plane, once; one module a subject.

The tables are made by ``migrations``, never from here: this is what the stores build their statements on, and a test
proves that both say the same. Types and clauses are those that SQLite and PostgreSQL share.
"""

from typing import Final

from gatepost.storage.schema.access import access_version, api_keys
from gatepost.storage.schema.accounts import account_credits, accounts
from gatepost.storage.schema.audit import audit_entries, audit_heads
from gatepost.storage.schema.batches import mail_batches, scheduled_sends
from gatepost.storage.schema.budgets import budget_uses, known_recipients
from gatepost.storage.schema.ip_access import access_attempts, ip_access_lists, ip_access_rules, sending_limits
from gatepost.storage.schema.leases import leases
from gatepost.storage.schema.metadata import Instant, metadata
from gatepost.storage.schema.notices import notice_cursors
from gatepost.storage.schema.people import (
    console_sessions,
    email_changes,
    invitations,
    known_networks,
    passkeys,
    recovery_codes,
    reset_tokens,
    sign_in_attempts,
    teammates,
    totp_factors,
)
from gatepost.storage.schema.senders import (
    branded_links,
    dkim_keys,
    dns_zone,
    domain_assignments,
    domain_owners,
    domain_reviews,
    domains,
    link_assignments,
    reverse_dns,
    single_senders,
)
from gatepost.storage.schema.statistics import counted_events, statistics

SCHEMA_REVISION: Final = "0013"
"""The newest migration this program was written for; revisions sort as text."""

__all__ = [
    "SCHEMA_REVISION",
    "Instant",
    "access_attempts",
    "access_version",
    "account_credits",
    "accounts",
    "api_keys",
    "audit_entries",
    "audit_heads",
    "branded_links",
    "budget_uses",
    "console_sessions",
    "counted_events",
    "dkim_keys",
    "dns_zone",
    "domain_assignments",
    "domain_owners",
    "domain_reviews",
    "domains",
    "email_changes",
    "invitations",
    "ip_access_lists",
    "ip_access_rules",
    "known_networks",
    "known_recipients",
    "leases",
    "link_assignments",
    "mail_batches",
    "metadata",
    "notice_cursors",
    "passkeys",
    "recovery_codes",
    "reset_tokens",
    "reverse_dns",
    "scheduled_sends",
    "sending_limits",
    "sign_in_attempts",
    "single_senders",
    "statistics",
    "teammates",
    "totp_factors",
]
