"""The people of accounts: who they are, what they prove it with, and their sessions."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
)

from gatepost.storage.schema.metadata import Instant, metadata


def _person() -> Column[str]:
    return Column("teammate_id", Text, ForeignKey("teammates.id", ondelete="CASCADE"), nullable=False)


teammates = Table(
    "teammates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    # Both in lower case; each stands for one person in the whole service.
    Column("email", Text, nullable=False, unique=True),
    Column("username", Text, nullable=False, unique=True),
    Column("first_name", Text, nullable=False),
    Column("last_name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("profile", JSON, nullable=False),
    # An Argon2id hash, sealed with the keyring: who has the database alone has nothing to guess at.
    Column("sealed_password", LargeBinary),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("role IN ('owner', 'admin', 'teammate')", name="role"),
)
Index(None, teammates.c.account_id)

totp_factors = Table(
    "totp_factors",
    metadata,
    Column("teammate_id", Text, ForeignKey("teammates.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    # No code of this step or an earlier one is taken again.
    Column("last_step", BigInteger, nullable=False),
    Column("enrolled_at", Instant, nullable=False),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", Text, primary_key=True),
    _person(),
    Column("name", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
)
Index(None, passkeys.c.teammate_id)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("teammate_id", Text, ForeignKey("teammates.id", ondelete="CASCADE"), primary_key=True),
    Column("code_hash", LargeBinary, primary_key=True),
    Column("used_at", Instant),
)

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    _person(),
    Column("opened_at", Instant, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("factor", Text, nullable=False),
    Column("proved_at", Instant),
    Column("is_password_due", Boolean, nullable=False),
    Column("peer", Text, nullable=False),
    Column("client", Text, nullable=False),
    # A WebAuthn challenge, or the secret of an authenticator application that is not confirmed yet; sealed.
    Column("pending", LargeBinary),
    Column("pending_at", Instant),
)
Index(None, console_sessions.c.teammate_id)

known_networks = Table(
    "known_networks",
    metadata,
    Column("teammate_id", Text, ForeignKey("teammates.id", ondelete="CASCADE"), primary_key=True),
    Column("network", Text, primary_key=True),
    Column("last_at", Instant, nullable=False),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    # One guess counts against several subjects; it is forgiven by its id.
    Column("id", LargeBinary, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
Index(None, sign_in_attempts.c.kind, sign_in_attempts.c.subject, sign_in_attempts.c.at)
Index(None, sign_in_attempts.c.at)

invitations = Table(
    "invitations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    CheckConstraint("role IN ('owner', 'admin', 'teammate')", name="role"),
)
Index(None, invitations.c.account_id)

reset_tokens = Table(
    "reset_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    _person(),
    Column("kind", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
Index(None, reset_tokens.c.teammate_id)

email_changes = Table(
    "email_changes",
    metadata,
    Column("teammate_id", Text, ForeignKey("teammates.id", ondelete="CASCADE"), primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    # It ends with the session that asked for it.
    Column("session_id", Text, ForeignKey("console_sessions.id", ondelete="CASCADE"), nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
Index(None, email_changes.c.session_id)
