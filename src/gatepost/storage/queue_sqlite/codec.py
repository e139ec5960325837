"""Messages and events ↔ rows; the proof that a record is whole."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from zlib import crc32

import msgspec

from gatepost.mailflow.content import Content, MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.options import NO_OPTIONS, SendingOptions
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox
from gatepost.storage.spool import SpoolDirectory, SpooledContent

MESSAGE_COLUMNS: Final = (
    "id, message_id, account_id, key_id, accepted_at, size_octets, content_checksum, checksum, spool, head, content"
)

EVENT_COLUMNS: Final = "at, type, account_id, key_id, message_id, local_part, domain, detail"

Row: TypeAlias = tuple[Any, ...]  # what sqlite3 gives and takes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Unreadable(Exception):
    """A record does not read back as it was written; the message says how."""


class _Head(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What of a message is neither a column nor its content; addresses are (local-part, domain)."""

    author: tuple[str, str]
    reverse_path: tuple[str, str] | None
    forward_paths: list[tuple[str, str]]
    needs_8bitmime: bool
    needs_smtputf8: bool
    protocol: str
    peer_address: str
    greeting: str
    tls: str
    options: SendingOptions | None = None  # records of version 1 end before it


_HEAD_ENCODER = msgspec.msgpack.Encoder()
_HEAD_DECODER = msgspec.msgpack.Decoder(_Head)
_DETAIL_ENCODER = msgspec.json.Encoder()
_DETAIL_DECODER = msgspec.json.Decoder(dict[str, str])
_OPTIONS_DECODER = msgspec.json.Decoder(SendingOptions)


def to_milliseconds(instant: datetime) -> int:
    """Return Unix milliseconds, cut off."""
    return (instant - _EPOCH) // _MILLISECOND


def to_instant(milliseconds: int) -> datetime:
    """Return the aware UTC instant; raises OverflowError for one that a datetime cannot hold."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_nearest_instant(milliseconds: int) -> datetime:
    """Return the aware UTC instant, or the first or last there is: a broken row must not hide the others."""
    try:
        return to_instant(milliseconds)
    except OverflowError:
        return _LAST if milliseconds > 0 else _FIRST


def encode_message(message: QueuedMessage) -> Row:
    """Return the values of ``MESSAGE_COLUMNS`` after the key, and ``processed_detail``.

    Raises:
        ValueError: One of them cannot be stored.
    """
    content = message.content
    spool: str | None = None
    octets: bytes | None = None
    if isinstance(content, SpooledContent):
        spool, content_checksum = content.name, content.checksum
    else:
        octets = content.octets if isinstance(content, MemoryContent) else b"".join(content.chunks())
        content_checksum = crc32(octets)
    accepted_at = to_milliseconds(message.accepted_at)
    proof = (message.id, message.account_id, message.key_id, accepted_at, content.size_octets, content_checksum)
    head = _encode_head(message)
    return (*proof, _checksum(proof, head), spool, head, octets, encode_detail(_processed_detail(message)))


def decode_message(row: Row, spool: SpoolDirectory) -> QueuedMessage:
    """Read ``MESSAGE_COLUMNS`` back. The checksum of a spooled content is left to ``SpooledContent.verify``.

    Raises:
        Unreadable: Length or checksum differ, or the envelope cannot be decoded.
    """
    _, message_id, account_id, key_id, accepted_at, size_octets, content_checksum, checksum, name, head, octets = row
    proof = (message_id, account_id, key_id, accepted_at, size_octets, content_checksum)
    try:
        if _checksum(proof, head) != checksum:
            raise Unreadable("the envelope's checksum differs")
        content: Content
        if name is not None:
            content = spool.find(name, size_octets=size_octets, checksum=content_checksum)
        elif len(octets) != size_octets:
            raise Unreadable(f"the content has {len(octets)} octets instead of {size_octets}")
        elif crc32(octets) != content_checksum:
            raise Unreadable("the content's checksum differs")
        else:
            content = MemoryContent(octets)
        return _build(_decode_head(head), content, proof)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise Unreadable(str(error)) from error


def decode_head(head: bytes) -> tuple[Mailbox, Envelope, Origin]:
    """Read author, envelope and origin back; raises ``Unreadable`` if that cannot be done."""
    return _decode_head(head)[:3]


def names_of(message: QueuedMessage) -> tuple[str, str | None]:
    """Return the author, and the reverse-path if it is another address, as they are stored beside each recipient."""
    return _names(message.author, message.envelope.reverse_path)


def find_names(head: bytes) -> tuple[str | None, str | None]:
    """Return what ``names_of`` says of a message that is stored; nothing where its head cannot be read."""
    try:
        author, envelope, _ = decode_head(head)
    except Unreadable:
        return None, None
    return _names(author, envelope.reverse_path)


def _names(author: Mailbox, reverse_path: Mailbox | None) -> tuple[str, str | None]:
    is_other = reverse_path is not None and reverse_path != author
    return str(author), str(reverse_path) if is_other else None


def _decode_head(head: bytes) -> tuple[Mailbox, Envelope, Origin, SendingOptions | None]:
    try:
        read = _HEAD_DECODER.decode(head)
    except (ValueError, TypeError) as error:
        raise Unreadable(str(error)) from error
    envelope = Envelope(
        reverse_path=_mailbox(read.reverse_path) if read.reverse_path else None,
        forward_paths=tuple([_mailbox(path) for path in read.forward_paths]),
        needs_8bitmime=read.needs_8bitmime,
        needs_smtputf8=read.needs_smtputf8,
    )
    origin = Origin(
        protocol=read.protocol, peer_address=read.peer_address, greeting=read.greeting, tls=read.tls
    )  # fmt: skip
    return _mailbox(read.author), envelope, origin, read.options


def encode_options(options: SendingOptions) -> str:
    """Return options as the table that outlives the message has them: what says nothing is left out."""
    said = {name: getattr(options, name) for name in SendingOptions.__slots__}
    return _DETAIL_ENCODER.encode(
        {name: value for name, value in said.items() if value != getattr(NO_OPTIONS, name)}
    ).decode()


def decode_options(text: str) -> SendingOptions:
    """Read ``encode_options`` back. Raises ``msgspec.DecodeError``."""
    return _OPTIONS_DECODER.decode(text)


def encode_event(event: Event) -> Row:
    """Return the values of ``EVENT_COLUMNS``."""
    recipient = event.recipient
    return (
        to_milliseconds(event.at), event.type.value, event.account_id, event.key_id, event.message_id,
        recipient.local_part, recipient.domain, encode_detail(event.detail),
    )  # fmt: skip


def decode_event(row: Row) -> Event:
    """Read ``EVENT_COLUMNS``, and behind them the options of the message or None, back."""
    at, name, account_id, key_id, message_id, local_part, domain, detail, options = row
    return Event(
        type=EventType(name),
        at=to_nearest_instant(at),
        account_id=AccountId(account_id),
        key_id=KeyId(key_id),
        message_id=MessageId(message_id),
        recipient=Mailbox(local_part=local_part, domain=domain),
        detail=_DETAIL_DECODER.decode(detail),
        options=decode_options(options) if options else None,
    )


def encode_detail(detail: dict[str, str]) -> str:
    """Return an event's detail as stored. A peer's words may hold anything: what is no text is replaced."""
    if not detail:
        return "{}"
    try:
        return _DETAIL_ENCODER.encode(detail).decode()
    except UnicodeEncodeError:
        return _DETAIL_ENCODER.encode({name: clean(text) for name, text in detail.items()}).decode()


def clean(text: str) -> str:
    """Return a text that can be stored: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode()


def _processed_detail(message: QueuedMessage) -> dict[str, str]:
    """Return what an operator still wants to know of a message when it has left the queue."""
    reverse_path, origin = message.envelope.reverse_path, message.origin
    return {
        "author": str(message.author),
        "reverse_path": f"<{reverse_path or ''}>",
        "size_octets": str(message.content.size_octets),
        "client": origin.peer_address,
        "greeting": origin.greeting,
        "protocol": origin.protocol,
        "tls": origin.tls,
    }


def _encode_head(message: QueuedMessage) -> bytes:
    envelope, origin = message.envelope, message.origin
    return _HEAD_ENCODER.encode(
        _Head(
            _pair(message.author),
            _pair(envelope.reverse_path) if envelope.reverse_path else None,
            [_pair(path) for path in envelope.forward_paths],
            envelope.needs_8bitmime,
            envelope.needs_smtputf8,
            origin.protocol,
            origin.peer_address,
            origin.greeting,
            origin.tls,
            message.options,
        )
    )


def _build(
    decoded: tuple[Mailbox, Envelope, Origin, SendingOptions | None], content: Content, proof: Row
) -> QueuedMessage:
    author, envelope, origin, options = decoded
    message_id, account_id, key_id, accepted_at = proof[:4]
    return QueuedMessage(
        id=MessageId(message_id),
        account_id=AccountId(account_id),
        key_id=KeyId(key_id),
        author=author,
        envelope=envelope,
        origin=origin,
        content=content,
        accepted_at=to_instant(accepted_at),
        options=options,
    )


def _checksum(proof: Row, head: bytes) -> int:
    return crc32(head, crc32(repr(proof).encode()))


def _pair(mailbox: Mailbox) -> tuple[str, str]:
    return (mailbox.local_part, mailbox.domain)


def _mailbox(pair: tuple[str, str]) -> Mailbox:
    return Mailbox(local_part=pair[0], domain=pair[1])
