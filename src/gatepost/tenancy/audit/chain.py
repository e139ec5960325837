"""The chain: how entries are linked and ended, and how a break is found.

- link of an entry = HMAC-SHA-256(audit key, ``gatepost audit entry 1`` LF record), 32 octets. The record names account,
  number and the link before (``entry``).
- code of a head = HMAC-SHA-256(audit key, ``gatepost audit head 1`` LF account LF number LF link in hexadecimal).

Why keyed: of a plain hash chain, whoever can write the table can calculate a new one. Why every link is keyed and not
the head alone: a check can then name the entry. Why the head has a code of another kind: were it the last link,
dropping the last entries would leave a chain whose new end is as good as the old one.

A chain that is found broken is continued all the same, with ``BROKEN`` for the link before: a key must be revocable
whatever somebody did to the log, and the break stays visible for good. Were the new entry linked to what was found, its
genuine head would hide what is missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, TypeAlias

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.entry import Act, AuditEntry, AuditEvent, UnreadableRecord, parse_entry, serialize_entry

LINK_OCTETS: Final = 32
GENESIS: Final = bytes(LINK_OCTETS)
"""What stands for the link before an account's first entry."""

BROKEN: Final = b"\xff" * LINK_OCTETS
"""What stands for the link before an entry that could not be put to a genuine end."""

Mac: TypeAlias = Callable[[bytes], bytes]
"""HMAC-SHA-256 under the audit key, which is not in the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record as it rests, as yet unchecked."""

    sequence: int
    record: bytes
    link: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where an account's chain ends: the number and the link of its last entry, and a code over both."""

    account_id: AccountId
    sequence: int
    link: bytes
    code: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptHead:
    """A head that somebody keeps outside the database; written ``account:number:link``."""

    account_id: AccountId
    sequence: int
    link: bytes

    def __str__(self) -> str:
        return f"{self.account_id}:{self.sequence}:{self.link.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong, and where. ``sequence`` is the entry's number, None if it is no single entry."""

    account_id: AccountId | None
    sequence: int | None
    text: str


def parse_kept_head(text: str) -> KeptHead:
    """Read ``account:number:link``. Raises ``ValueError``."""
    account_id, number, link = text.strip().split(":")
    kept = KeptHead(account_id=AccountId(account_id), sequence=int(number), link=bytes.fromhex(link))
    if kept.sequence < 1 or len(kept.link) != LINK_OCTETS:
        raise ValueError("not a number from 1 and 64 hexadecimal digits")
    return kept


def extend(head: Head | None, last: int, event: AuditEvent, mac: Mac) -> tuple[StoredRecord, Head]:
    """Put an event at the end of a chain.

    Args:
        head: The one that the database has.
        last: The highest number of the account's entries, 0 if it has none.
        event: What was done.
        mac: The audit key.

    Returns:
        What is to be stored, and the head that replaces the old one.
    """
    if head is None and last == 0 and event.act is Act.ACCOUNT_CREATED:
        sequence, previous = 1, GENESIS
    elif head is not None and last <= head.sequence and is_genuine(head, mac):
        sequence, previous = head.sequence + 1, head.link
    else:
        sequence, previous = last + 1, BROKEN
    record = serialize_entry(AuditEntry(event=event, sequence=sequence, previous=previous))
    link = _link(record, mac)
    code = _head_code(event.account_id, sequence, link, mac)
    stored = StoredRecord(sequence=sequence, record=record, link=link)
    return stored, Head(account_id=event.account_id, sequence=sequence, link=link, code=code)


def is_genuine(head: Head, mac: Mac) -> bool:
    """Say whether a head's code is right: whoever wrote it had the keyring."""
    return compare_digest(head.code, _head_code(head.account_id, head.sequence, head.link, mac))


def check_chain(
    account_id: AccountId, records: Iterable[StoredRecord], head: Head | None, kept: Mapping[int, bytes], mac: Mac
) -> Iterator[Fault]:
    """Look at one account's whole chain; yield every break, in order.

    Args:
        account_id: Whose chain it is to be.
        records: All of them, by number.
        head: The one that the database has.
        kept: Links that were kept elsewhere, by their entry's number.
        mac: The audit key.
    """
    last, previous, seen = 0, GENESIS, set()
    for stored in records:
        number = stored.sequence
        if number > last + 1:
            yield Fault(account_id=account_id, sequence=last + 1, text=_missing(last + 1, number - 1))
        is_next = number == last + 1
        if problem := _problem(account_id, stored, previous if is_next else None, mac):
            yield Fault(account_id=account_id, sequence=number, text=problem)
        if number in kept and not compare_digest(kept[number], stored.link):
            yield Fault(account_id=account_id, sequence=number, text="is not the entry whose link was kept")
        seen.add(number)
        last, previous = number, stored.link
    yield from _check_end(account_id, last, previous, head, mac)
    for number in sorted(kept.keys() - seen):
        yield Fault(account_id=account_id, sequence=number, text="is missing, though its link was kept")


def _problem(account_id: AccountId, stored: StoredRecord, previous: bytes | None, mac: Mac) -> str | None:
    if not compare_digest(stored.link, _link(stored.record, mac)):
        return "was altered: its link does not fit its record"
    try:
        entry = parse_entry(stored.record)
    except UnreadableRecord:
        return "cannot be read, though it is genuine: look with the newer version that wrote it"
    home = (entry.event.account_id, entry.sequence)
    if home != (account_id, stored.sequence):
        return f"was moved: it is entry {home[1]} of {home[0]}"
    if entry.previous == BROKEN:
        return "was written when the log before it was found broken, or not begun"
    if previous is not None and not compare_digest(entry.previous, previous):
        return "does not follow the entry before it: one of the two was replaced"
    return None


def _check_end(account_id: AccountId, last: int, link: bytes, head: Head | None, mac: Mac) -> Iterator[Fault]:
    if head is None:
        text = (
            "the head of the log is missing" if last else "there is no log, and each account's begins when it is made"
        )
        yield Fault(account_id=account_id, sequence=None, text=text)
    elif not is_genuine(head, mac):
        yield Fault(account_id=account_id, sequence=None, text="the head of the log was altered")
    elif last < head.sequence:
        text = f"{_missing(last + 1, head.sequence)}: the end of the log was cut off"
        yield Fault(account_id=account_id, sequence=last + 1, text=text)
    elif last > head.sequence:
        yield Fault(account_id=account_id, sequence=head.sequence + 1, text="stands behind the head of the log")
    elif not compare_digest(head.link, link):
        yield Fault(account_id=account_id, sequence=last, text="is not the entry that the head of the log names")


def _missing(first: int, last: int) -> str:
    return "is missing" if first == last else f"is missing, and so is each up to {last}"


def _link(record: bytes, mac: Mac) -> bytes:
    return mac(b"gatepost audit entry 1\n" + record)


def _head_code(account_id: AccountId, sequence: int, link: bytes, mac: Mac) -> bytes:
    # No id holds a line end; a forged one that does makes a code that was never issued.
    return mac(f"gatepost audit head 1\n{account_id}\n{sequence}\n{link.hex()}".encode("utf-8", "surrogatepass"))
