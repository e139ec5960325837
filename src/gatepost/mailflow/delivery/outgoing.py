"""The outgoing copy of a message: amended header section, signatures over the exact octets sent, body untouched.

Made at the attempt, with the keys current then, and shared by the leases of one message for a short while.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatepost.mailflow.content import Content, MemoryContent
from gatepost.mailflow.delivery.outgoing_header import amend_header
from gatepost.mailflow.delivery.ports import HashBody, PrepareSignatures, Signer, SigningKeys
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.errors import Misconfigured
from gatepost.standards.dkim.sign import SigningKey, UnsignedField
from gatepost.standards.message.header import HeaderSection

SIGNATURE_LIFETIME = timedelta(days=7)
"""``x=``: longer than any message stays queued, short enough to bound replay."""

_SHARED_FOR = timedelta(minutes=1)
_MAX_SHARED = 64
_MAX_OCTETS_ON_THE_LOOP = 1 << 20
"""Larger contents are read and hashed in a thread, so that other sessions go on meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCopy:
    """What goes over the wire, before dot-stuffing.

    Attributes:
        header: The signed section with the empty line that ends it.
        content: What was accepted; its octets from ``body_at`` on are the body.
        has_utf8_header: The header section holds octets above 127: it needs SMTPUTF8.
        has_8bit_body: The body does: it needs 8BITMIME.
    """

    header: bytes
    content: Content
    body_at: int
    has_utf8_header: bool
    has_8bit_body: bool

    @property
    def size_octets(self) -> int:
        """The whole length."""
        return len(self.header) + self.content.size_octets - self.body_at

    def pieces(self) -> Iterator[bytes]:
        """Return it from its first octet; in one piece where it is in memory."""
        if isinstance(self.content, MemoryContent):
            yield self.header + self.content.octets[self.body_at :]
            return
        yield self.header
        yield from body_pieces(self.content, self.body_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTools:
    """The standards' functions of which a copy is made.

    Attributes:
        parse: Reads the header section at the start of a content; returns it and where the body begins.
        downgrade: Turns a whole message into one of 7-bit octets (RFC 2045); None if that cannot be done.
    """

    parse: Callable[[bytes], tuple[HeaderSection, int]]
    hash_body: HashBody
    prepare: PrepareSignatures
    finish: Callable[[Sequence[UnsignedField], Sequence[bytes]], bytes]
    downgrade: Callable[[bytes], bytes | None]


@dataclass(frozen=True, slots=True)
class _Unsigned:
    """All of a copy but for its signatures."""

    fields: Sequence[UnsignedField]
    header: bytes
    content: Content
    body_at: int
    has_8bit_body: bool


class OutgoingCopies:
    """Makes copies; each keeps to one form, as it came or in 7 bits."""

    def __init__(self, *, tools: CopyTools, keys: SigningKeys, signer: Signer, host_name: str) -> None:
        """Make copies in the name of ``host_name``."""
        self._tools = tools
        self._keys = keys
        self._signer = signer
        self._host_name = host_name
        #: Made or being made: leases of one message begin together, and their copy is signed once.
        self._shared: OrderedDict[tuple[str, bool], tuple[datetime, asyncio.Task[OutgoingCopy | None]]] = OrderedDict()

    async def make(self, message: QueuedMessage, *, now: datetime, seven_bit: bool = False) -> OutgoingCopy | None:
        """Return the copy of a message, in 7 bits if asked; None if it cannot be had in 7 bits.

        Raises:
            Misconfigured: No key signs for the author's domain: the account no longer has it.
        """
        if len(message.envelope.forward_paths) == 1:
            return await self._make(message, now, seven_bit)
        key = (message.id, seven_bit)
        shared = self._shared.get(key)
        if shared is None or not shared[0] <= now < shared[0] + _SHARED_FOR:
            shared = self._share(key, now, asyncio.create_task(self._make(message, now, seven_bit)))
        # Whoever waits for it may be cancelled; the others still want it.
        return await asyncio.shield(shared[1])

    def _share(
        self, key: tuple[str, bool], now: datetime, making: "asyncio.Task[OutgoingCopy | None]"
    ) -> "tuple[datetime, asyncio.Task[OutgoingCopy | None]]":
        def forget_failure(done: "asyncio.Task[OutgoingCopy | None]") -> None:
            if (done.cancelled() or done.exception() is not None) and self._shared.get(key) is entry:
                del self._shared[key]

        entry = (now, making)
        self._shared[key] = entry
        self._shared.move_to_end(key)
        making.add_done_callback(forget_failure)
        if len(self._shared) > _MAX_SHARED:
            self._shared.popitem(last=False)
        return entry

    async def _make(self, message: QueuedMessage, now: datetime, seven_bit: bool) -> OutgoingCopy | None:
        keys = self._keys.find_signing_keys(message.account_id, message.author.domain)
        if not keys:
            raise Misconfigured(f"no DKIM key signs for {message.author.domain}")
        if message.content.size_octets > _MAX_OCTETS_ON_THE_LOOP:
            unsigned = await asyncio.to_thread(self._prepare, message, keys, now, seven_bit)
        else:
            unsigned = self._prepare(message, keys, now, seven_bit)
        if unsigned is None:
            return None
        signatures = await self._signer.sign(unsigned.fields)
        header = self._tools.finish(unsigned.fields, signatures) + unsigned.header
        return OutgoingCopy(
            header=header,
            content=unsigned.content,
            body_at=unsigned.body_at,
            has_utf8_header=not header.isascii(),
            has_8bit_body=unsigned.has_8bit_body,
        )

    def _prepare(
        self, message: QueuedMessage, keys: Sequence[SigningKey], now: datetime, seven_bit: bool
    ) -> _Unsigned | None:
        tools = self._tools
        content: Content = message.content
        if seven_bit:
            octets = tools.downgrade(b"".join(content.chunks()))
            if octets is None:
                return None
            content = MemoryContent(octets)
        section, body_at = tools.parse(content.head())
        amended = amend_header(section, message, host_name=self._host_name)
        body_hash = tools.hash_body(body_pieces(content, body_at))
        return _Unsigned(
            fields=tools.prepare(amended, body_hash, keys, signed_at=now, expires_at=now + SIGNATURE_LIFETIME),
            header=amended.octets + b"\r\n",
            content=content,
            body_at=body_at,
            has_8bit_body=not all(piece.isascii() for piece in body_pieces(content, body_at)),
        )


def body_pieces(content: Content, body_at: int) -> Iterator[bytes]:
    """Return the octets of a content from ``body_at`` on."""
    skip = body_at
    for piece in content.chunks():
        if skip >= len(piece):
            skip -= len(piece)
            continue
        yield piece[skip:] if skip else piece
        skip = 0
