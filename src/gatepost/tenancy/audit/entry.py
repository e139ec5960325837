r"""One entry of the audit log, and its one spelling.

The record, version 1: a JSON object in ASCII, everything else escaped as ``\uXXXX`` in lower case, its
members and those of the objects within sorted by name, no white space. Its members:

- ``v``: the number 1
- ``account``: the account's id
- ``sequence``: a number, 1 for an account's first entry and one more for each that follows
- ``previous``: the link of the entry before, 64 hexadecimal digits in lower case; of the first entry 64 zeros
- ``at``: RFC 3339 in UTC with six decimals and ``Z``
- ``act``: a name out of ``Act``
- ``actor``: an object of ``kind``, ``id``, ``origin`` and ``credential``, all text; and of ``account``, if the actor
  belongs to another account than this one and acts on its behalf: that account's id
- ``subject``: what the act was done to, ``key/…``
- ``before``, ``after``: its security-relevant properties then and now: null, or an object of text, null or arrays of
  text. Never a secret, nor anything made from one.

The record is stored as it was linked and never written anew, so that checking it needs no second opinion on spelling.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, TypeAlias

import msgspec

from gatepost.primitives.ids import AccountId

RECORD_VERSION: Final = 1

Snapshot: TypeAlias = Mapping[str, str | Sequence[str] | None]
"""The security-relevant properties of a thing at one moment, by name; never a secret."""


class Act(Enum):
    """What was done. A name is written into chains for good: add, never rename."""

    ACCOUNT_CREATED = "account_created"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_RESUMED = "account_resumed"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_REVIEWED = "account_reviewed"
    #: By its parent, as are those down to the credits.
    SUBUSER_DISABLED = "subuser_disabled"
    SUBUSER_ENABLED = "subuser_enabled"
    SUBUSER_WEBSITE_BARRED = "subuser_website_barred"
    SUBUSER_WEBSITE_OPENED = "subuser_website_opened"
    SUBUSER_ADDRESSES_ASSIGNED = "subuser_addresses_assigned"
    #: To whom copies of some of its mail go.
    SUBUSER_MONITOR_CHANGED = "subuser_monitor_changed"
    CREDITS_CHANGED = "credits_changed"
    KEY_ISSUED = "key_issued"
    KEY_NARROWED = "key_narrowed"
    KEY_RENAMED = "key_renamed"
    #: Got scopes it had not; never more than whoever gave them has.
    KEY_WIDENED = "key_widened"
    KEY_REVOKED = "key_revoked"
    #: Somebody used a key that nobody should have found.
    HONEY_KEY_USED = "honey_key_used"
    DOMAIN_CLAIMED = "domain_claimed"
    DOMAIN_VERIFIED = "domain_verified"
    DOMAIN_WITHDRAWN = "domain_withdrawn"
    DOMAIN_REMOVED = "domain_removed"
    DOMAIN_CHANGED = "domain_changed"
    #: One was published, began to sign, was retired or destroyed.
    DKIM_KEYS_CHANGED = "dkim_keys_changed"
    #: To a subuser, which may send as the domain while it is the parent's.
    DOMAIN_ASSIGNED = "domain_assigned"
    DOMAIN_UNASSIGNED = "domain_unassigned"
    #: Its name looks like another's: it waits for the operator.
    DOMAIN_HELD = "domain_held"
    DOMAIN_APPROVED = "domain_approved"
    DOMAIN_REJECTED = "domain_rejected"
    #: The records to publish were mailed to an address that somebody has named.
    DNS_RECORDS_MAILED = "dns_records_mailed"
    LINK_ADDED = "link_added"
    LINK_CHANGED = "link_changed"
    LINK_REMOVED = "link_removed"
    #: To a subuser, which may use the link while it is the parent's.
    LINK_ASSIGNED = "link_assigned"
    LINK_UNASSIGNED = "link_unassigned"
    #: Names of sending addresses.
    REVERSE_NAME_ADDED = "reverse_name_added"
    REVERSE_NAME_CHANGED = "reverse_name_changed"
    REVERSE_NAME_REMOVED = "reverse_name_removed"
    SENDER_ADDED = "sender_added"
    SENDER_CHANGED = "sender_changed"
    #: Another token was sent; the one before is worthless.
    SENDER_TOKEN_RENEWED = "sender_token_renewed"  # noqa: S105 - an act, not a token
    SENDER_VERIFIED = "sender_verified"
    SENDER_WITHDRAWN = "sender_withdrawn"
    SENDER_REMOVED = "sender_removed"
    TEAMMATE_INVITED = "teammate_invited"
    INVITATION_RESENT = "invitation_resent"
    INVITATION_WITHDRAWN = "invitation_withdrawn"
    TEAMMATE_JOINED = "teammate_joined"
    TEAMMATE_RIGHTS_CHANGED = "teammate_rights_changed"
    TEAMMATE_PROFILE_CHANGED = "teammate_profile_changed"
    TEAMMATE_REMOVED = "teammate_removed"
    #: It counts once the mailbox of the new address has been proved.
    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    EMAIL_CHANGED = "email_changed"
    USERNAME_CHANGED = "username_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - an act, not a password
    PASSWORD_RESET_REQUESTED = "password_reset_requested"  # noqa: S105
    FACTOR_ENROLLED = "factor_enrolled"
    FACTOR_REMOVED = "factor_removed"
    #: Shown again in a session that was signed in already.
    FACTOR_PROVED = "factor_proved"
    FACTOR_REFUSED = "factor_refused"
    #: So many wrong ones, for one person, that no more are looked at for a while; once a day.
    GUESSES_LIMITED = "guesses_limited"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    #: The password, or a token in its place, was right; the second factor is due.
    SESSION_OPENED = "session_opened"
    SIGNED_IN = "signed_in"
    SESSION_ENDED = "session_ended"
    #: By the operator: factors and password are gone, a token for a new start was made.
    TEAMMATE_RECOVERED = "teammate_recovered"
    #: The account's list of addresses, or whether it is enforced.
    IP_ACCESS_CHANGED = "ip_access_changed"
    #: The same, by somebody who knew that it may shut himself out.
    IP_ACCESS_FORCED = "ip_access_forced"
    #: Mail that waits under a batch id; and let go again.
    BATCH_PAUSED = "batch_paused"
    BATCH_CANCELLED = "batch_cancelled"
    BATCH_RELEASED = "batch_released"
    #: How much the account may send in a time.
    SENDING_LIMITS_CHANGED = "sending_limits_changed"


class ActorKind(Enum):
    """What kind of actor an id is the id of."""

    #: A user of the operating system, at the command line.
    OPERATOR = "operator"
    #: An API key.
    KEY = "key"
    #: A teammate in a console session.
    PERSON = "person"
    #: Gatepost itself, of its own accord.
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something, for the record. Nothing in it is trusted with a decision.

    Attributes:
        id: The operating system's user name, the key's id, or the teammate's.
        origin: From where: an address, a terminal; "" if unknown.
        credential: By what he was known, and with which second factor: ``uid 0``, ``api key``, ``password, totp``.
        account: The account he belongs to, where he acts on behalf of one of its subusers; "" otherwise.
    """

    kind: ActorKind
    id: str
    origin: str = ""
    credential: str = ""
    account: str = ""


SERVICE: Final = Actor(kind=ActorKind.SERVICE, id="gatepost")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """An act, before it has its place in the chain. ``subject`` is ``account/…``, ``key/…``, ``domain/…``."""

    account_id: AccountId
    at: datetime
    act: Act
    actor: Actor
    subject: str
    before: Snapshot | None = None
    after: Snapshot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An act in its place: number ``sequence`` of its account's chain, after the entry with the link ``previous``."""

    event: AuditEvent
    sequence: int
    previous: bytes


class _Actor(msgspec.Struct, kw_only=True):
    kind: str
    id: str
    origin: str
    credential: str
    account: str = ""


class _Record(msgspec.Struct, kw_only=True):
    v: int
    account: str
    sequence: int
    previous: str
    at: str
    act: str
    actor: _Actor
    subject: str
    before: dict[str, str | list[str] | None] | None
    after: dict[str, str | list[str] | None] | None


class UnreadableRecord(ValueError):
    """Octets that are no record of a version and with acts that we know."""


def serialize_entry(entry: AuditEntry) -> bytes:
    """Return the record. Raises ``ValueError`` if the instant is not in UTC."""
    event = entry.event
    if event.at.utcoffset():
        raise ValueError(f"{event.at} is not in UTC")
    record = {
        "v": RECORD_VERSION,
        "account": event.account_id,
        "sequence": entry.sequence,
        "previous": entry.previous.hex(),
        "at": event.at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z",
        "act": event.act.value,
        "actor": {
            "kind": event.actor.kind.value,
            "id": event.actor.id,
            "origin": event.actor.origin,
            "credential": event.actor.credential,
            **({"account": event.actor.account} if event.actor.account else {}),
        },
        "subject": event.subject,
        "before": _plain(event.before),
        "after": _plain(event.after),
    }
    return _spell(record)


def parse_entry(record: bytes) -> AuditEntry:
    """Read a record; ``serialize_entry`` makes the same octets of the result again.

    Raises:
        UnreadableRecord: It is damaged, or of a newer version.
    """
    try:
        # Not msgspec.json: it takes no lone surrogates, which a name on a command line may hold.
        fields = msgspec.convert(json.loads(record.decode("ascii")), _Record)
        event = AuditEvent(
            account_id=AccountId(fields.account),
            at=datetime.fromisoformat(fields.at),
            act=Act(fields.act),
            actor=Actor(
                kind=ActorKind(fields.actor.kind),
                id=fields.actor.id,
                origin=fields.actor.origin,
                credential=fields.actor.credential,
                account=fields.actor.account,
            ),
            subject=fields.subject,
            before=fields.before,
            after=fields.after,
        )
        entry = AuditEntry(event=event, sequence=fields.sequence, previous=bytes.fromhex(fields.previous))
        is_ours = serialize_entry(entry) == record
    except (ValueError, RecursionError) as error:
        raise UnreadableRecord(f"{type(error).__name__}: {error}") from error
    if not is_ours:
        raise UnreadableRecord("it is not spelled as version 1 is")
    return entry


def _plain(snapshot: Snapshot | None) -> dict[str, str | list[str] | None] | None:
    if snapshot is None:
        return None
    return {name: value if isinstance(value, str | None) else list(value) for name, value in snapshot.items()}


def _spell(record: dict[str, object]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
