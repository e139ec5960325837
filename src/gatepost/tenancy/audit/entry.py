r"""One entry of the audit log, and its one spelling.

The record, version 1: a JSON object in ASCII, everything else escaped as ``\uXXXX`` in lower case, its
members and those of the objects within sorted by name, no white space. Its members:

- ``v``: the number 1
- ``account``: the account's id
- ``sequence``: a number, 1 for an account's first entry and one more for each that follows
- ``previous``: the link of the entry before, 64 hexadecimal digits in lower case; of the first entry 64 zeros
- ``at``: RFC 3339 in UTC with six decimals and ``Z``
- ``act``: a name out of ``Act``
- ``actor``: an object of ``kind``, ``id``, ``origin`` and ``credential``, all text
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


class ActorKind(Enum):
    """What kind of actor an id is the id of."""

    #: A user of the operating system, at the command line.
    OPERATOR = "operator"
    #: An API key.
    KEY = "key"
    #: Gatepost itself, of its own accord.
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something, for the record. Nothing in it is trusted with a decision.

    Attributes:
        id: The operating system's user name, or the key's id.
        origin: From where: an address, a terminal; "" if unknown.
        credential: By what he was known, and with which second factor: ``uid 0``, ``api key``, ``password, totp``.
    """

    kind: ActorKind
    id: str
    origin: str = ""
    credential: str = ""


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
