import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import cast

import pytest

from gatepost.mailflow.delivery.outgoing import CopyTools, OutgoingCopies, body_pieces
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningKey, UnsignedField
from gatepost.standards.message.header import HeaderField, HeaderSection

MakeMessage = Callable[..., QueuedMessage]
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@dataclass
class Keys:
    """Stands in for the key store: one name a key, and the accounts that asked."""

    names: list[str] = field(default_factory=lambda: ["k1"])

    def find_signing_keys(self, account_id: AccountId, author_domain: str) -> Sequence[SigningKey]:
        assert (account_id, author_domain) == ("acc_1", "example.com")
        return cast("Sequence[SigningKey]", list(self.names))


@dataclass(frozen=True)
class DiskContent:
    """Content that comes in pieces."""

    pieces: tuple[bytes, ...]

    @property
    def size_octets(self) -> int:
        return sum(len(piece) for piece in self.pieces)

    def head(self) -> bytes:
        return b"".join(self.pieces)[:200]

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces


def parse(octets: bytes) -> tuple[HeaderSection, int]:
    head, _, _ = octets.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    return HeaderSection(tuple(HeaderField(x.split(b":")[0].lower(), x + b"\r\n") for x in lines)), len(head) + 4


def hash_body(pieces: Iterable[bytes]) -> bytes:
    return sha256(b"".join(pieces)).digest()


def prepare(
    section: HeaderSection, body_hash: bytes, keys: Sequence[SigningKey], *, signed_at: datetime, expires_at: datetime
) -> list[UnsignedField]:
    assert expires_at - signed_at == timedelta(days=7)
    return [UnsignedField(keys[0], body_hash, sha256(section.octets).hexdigest().encode())]


def finish(fields: Sequence[UnsignedField], signatures: Sequence[bytes]) -> bytes:
    pairs = zip(fields, signatures, strict=True)
    return b"".join([b"Signed: %b %b\r\n" % (signature, field.octets) for field, signature in pairs])


@dataclass
class HeldSigner:
    """Names the key and the digest; counts, and signs when it is let."""

    may_sign: asyncio.Event = field(default_factory=asyncio.Event)
    signed: int = 0

    async def sign(self, fields: Sequence[UnsignedField]) -> list[bytes]:
        self.signed += 1
        await self.may_sign.wait()
        return [f"{one.key} {one.digest.hex()}".encode() for one in fields]


def ready_signer() -> HeldSigner:
    signer = HeldSigner()
    signer.may_sign.set()
    return signer


def downgrade(octets: bytes) -> bytes | None:
    return None if b"impossible" in octets else octets.replace("ü".encode(), b"=C3=BC")


def copies(keys: Keys | None = None, signer: HeldSigner | None = None) -> OutgoingCopies:
    tools = CopyTools(parse=parse, hash_body=hash_body, prepare=prepare, finish=finish, downgrade=downgrade)
    return OutgoingCopies(tools=tools, keys=keys or Keys(), signer=signer or ready_signer(), host_name="relay.test")


async def test_the_signature_covers_exactly_what_is_sent(make_message: MakeMessage) -> None:
    copy = await copies().make(make_message(), now=NOW)

    assert copy is not None
    sent = b"".join(copy.pieces())
    signature, _, signed = sent.partition(b"\r\n")
    header, _, body = signed.partition(b"\r\n\r\n")
    assert signature.split()[-2] == sha256(body).hexdigest().encode()
    assert signature.split()[-1] == sha256(header + b"\r\n").hexdigest().encode()
    assert body == b"body\r\n"
    assert copy.size_octets == len(sent)


async def test_a_content_on_disk_comes_in_pieces(make_message: MakeMessage) -> None:
    content = DiskContent((b"From: a\r\n", b"\r\nbo", b"dy\r\n", b"x" * 2_000_000))
    message = replace(make_message(), content=content)

    copy = await copies().make(message, now=NOW)

    assert copy is not None
    assert b"".join(copy.pieces()).endswith(b"\r\n\r\nbody\r\n" + b"x" * 2_000_000)
    assert copy.size_octets == len(b"".join(copy.pieces()))


@pytest.mark.parametrize(
    ("content", "utf8", "eight_bit"),
    [
        pytest.param(b"From: a\r\n\r\nplain\r\n", False, False, id="ASCII"),
        pytest.param("From: ü\r\n\r\nplain\r\n".encode(), True, False, id="UTF-8 header"),
        pytest.param("From: a\r\n\r\nü\r\n".encode(), False, True, id="8-bit body"),
    ],
)
async def test_what_it_needs_is_found_in_its_octets(
    make_message: MakeMessage, content: bytes, utf8: bool, eight_bit: bool
) -> None:
    copy = await copies().make(make_message(content), now=NOW)

    assert copy is not None
    assert (copy.has_utf8_header, copy.has_8bit_body) == (utf8, eight_bit)


async def test_a_copy_in_seven_bits_is_signed_anew(make_message: MakeMessage) -> None:
    message = make_message("From: a\r\n\r\nü\r\n".encode(), recipients=("a@x.test", "b@y.test"))
    maker = copies()

    eight = await maker.make(message, now=NOW)
    seven = await maker.make(message, now=NOW, seven_bit=True)

    assert eight is not None
    assert seven is not None
    assert not seven.has_8bit_body
    assert b"".join(seven.pieces()).endswith(b"=C3=BC\r\n")
    assert sha256(b"=C3=BC\r\n").hexdigest().encode() in seven.header
    assert await maker.make(message, now=NOW) is eight


async def test_what_cannot_be_downgraded_is_none(make_message: MakeMessage) -> None:
    message = make_message("From: a\r\n\r\nimpossible ü\r\n".encode())

    assert await copies().make(message, now=NOW, seven_bit=True) is None


async def test_without_a_key_nothing_leaves(make_message: MakeMessage) -> None:
    with pytest.raises(Misconfigured, match=r"example\.com"):
        await copies(Keys([])).make(make_message(), now=NOW)


async def test_leases_of_one_message_share_a_copy_for_a_moment(make_message: MakeMessage) -> None:
    keys = Keys()
    maker = copies(keys)
    message = make_message(recipients=("a@x.test", "b@y.test"))
    first = await maker.make(message, now=NOW)
    keys.names = ["k2"]

    assert await maker.make(message, now=NOW + timedelta(seconds=59)) is first
    later = await maker.make(message, now=NOW + timedelta(seconds=60))

    assert later is not None
    assert b"k2" in later.header


async def test_leases_that_begin_together_have_their_copy_signed_once(make_message: MakeMessage) -> None:
    signer = HeldSigner()
    maker = copies(signer=signer)
    message = make_message(recipients=("a@x.test", "b@y.test"))

    making = [asyncio.create_task(maker.make(message, now=NOW)) for _ in range(3)]
    await asyncio.sleep(0)
    signer.may_sign.set()
    made = await asyncio.gather(*making)

    assert signer.signed == 1
    assert made[0] is made[1] is made[2]


async def test_a_lease_that_is_cut_off_does_not_take_the_copy_from_the_others(make_message: MakeMessage) -> None:
    signer = HeldSigner()
    maker = copies(signer=signer)
    message = make_message(recipients=("a@x.test", "b@y.test"))
    cut_off, other = [asyncio.create_task(maker.make(message, now=NOW)) for _ in range(2)]
    await asyncio.sleep(0)

    cut_off.cancel()
    await asyncio.sleep(0)
    signer.may_sign.set()

    assert await other is not None
    assert cut_off.cancelled()


async def test_a_failure_is_not_shared_for_longer_than_it_lasts(make_message: MakeMessage) -> None:
    keys = Keys(names=[])
    maker = copies(keys)
    message = make_message(recipients=("a@x.test", "b@y.test"))
    with pytest.raises(Misconfigured):
        await maker.make(message, now=NOW)
    keys.names = ["k1"]

    assert await maker.make(message, now=NOW) is not None


async def test_only_a_few_copies_are_kept(make_message: MakeMessage) -> None:
    maker = copies()
    for number in range(100):
        await maker.make(make_message(recipients=("a@x.test", "b@y.test"), message_id=f"{number:022}"), now=NOW)

    assert len(maker._shared) == 64


@pytest.mark.parametrize("body_at", range(8))
def test_body_pieces_skip_exactly_the_header(body_at: int) -> None:
    content = DiskContent((b"ab", b"", b"cde", b"fg"))

    assert b"".join(body_pieces(content, body_at)) == b"abcdefg"[body_at:]
