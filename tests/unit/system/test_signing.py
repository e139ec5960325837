import asyncio
import sys
from dataclasses import dataclass, field
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from structlog.testing import capture_logs

from gatepost.standards.dkim.sign import SigningAlgorithm, SigningKey, UnsignedField, sign_digest
from gatepost.system.signing import (
    BatchSigner,
    BatchSigning,
    SingleSigner,
    choose_signer,
    find_batch_signing,
)


def compute(message: bytes, key: bytes) -> bytes:
    """RSA as a lane does it, from the octets a lane is given: by the Chinese remainder theorem (RFC 8017 §5.1.2)."""
    p, q, dp, dq, q_inverse = [int.from_bytes(key[at : at + 128], "little") for at in range(0, 640, 128)]
    number = int.from_bytes(message, "big")
    of_p, of_q = pow(number, dp, p), pow(number, dq, q)
    result = of_q + q * ((of_p - of_q) * q_inverse % p)
    assert pow(result, 65537, int.from_bytes(key[640:], "little")) == number
    return result.to_bytes(256, "big")


@dataclass
class Lanes:
    """Stands in for the compiled package; notes how many lanes each call used."""

    batches: list[int] = field(default_factory=list)
    faulty: bool = False
    fails: bool = False

    def __call__(self, lanes: tuple[tuple[bytes, bytes], ...], /) -> list[bytes | None]:
        self.batches.append(len(lanes))
        if self.fails:
            raise MemoryError
        made: list[bytes | None] = [compute(message, key) for message, key in lanes]
        return [None, *made[1:]] if self.faulty else made


def make_key(private_key: RSAPrivateKey | Ed25519PrivateKey) -> SigningKey:
    is_rsa = isinstance(private_key, RSAPrivateKey)
    algorithm = SigningAlgorithm.RSA_SHA256 if is_rsa else SigningAlgorithm.ED25519_SHA256
    return SigningKey(domain="example.com", selector="s", algorithm=algorithm, private_key=private_key)


@pytest.fixture(scope="module")
def rsa() -> list[SigningKey]:
    return [make_key(generate_private_key(65537, 2048)) for _ in range(2)]


@pytest.fixture(scope="module")
def ed25519() -> SigningKey:
    return make_key(Ed25519PrivateKey.generate())


def unsigned(key: SigningKey, number: int) -> UnsignedField:
    return UnsignedField(key, bytes([number]) * 32, b"DKIM-Signature: b=\r\n")


def expected(fields: list[UnsignedField]) -> list[bytes]:
    return [sign_digest(one.key, one.digest) for one in fields]


async def sign_together(signer: BatchSigner, messages: list[list[UnsignedField]]) -> list[list[bytes]]:
    return await asyncio.gather(*[signer.sign(fields) for fields in messages])


async def test_single_signer_signs_each_field_with_its_key(rsa: list[SigningKey], ed25519: SigningKey) -> None:
    fields = [unsigned(rsa[0], 1), unsigned(ed25519, 2)]

    assert await SingleSigner().sign(fields) == expected(fields)


@pytest.mark.parametrize(
    ("messages", "batches"),
    [
        pytest.param(1, [], id="alone"),
        pytest.param(3, [], id="too few to be worth it"),
        pytest.param(4, [4], id="just enough"),
        pytest.param(8, [8], id="every lane"),
        pytest.param(11, [8], id="one batch, and too few left"),
        pytest.param(14, [8, 6], id="two batches"),
    ],
)
async def test_what_is_asked_for_together_is_signed_together(
    rsa: list[SigningKey], ed25519: SigningKey, messages: int, batches: list[int]
) -> None:
    lanes = Lanes()
    fields = [[unsigned(rsa[number % 2], number), unsigned(ed25519, number)] for number in range(messages)]

    made = await sign_together(BatchSigner(lanes), fields)

    assert made == [expected(of_message) for of_message in fields]
    assert lanes.batches == batches


async def test_a_second_turn_makes_a_second_batch(rsa: list[SigningKey]) -> None:
    lanes = Lanes()
    signer = BatchSigner(lanes)

    for _ in range(2):
        await sign_together(signer, [[unsigned(rsa[0], number)] for number in range(4)])

    assert lanes.batches == [4, 4]


@pytest.mark.parametrize("bits", [1024, 3072])
async def test_another_length_of_key_is_signed_singly(bits: int) -> None:
    lanes = Lanes()
    fields = [unsigned(make_key(generate_private_key(65537, bits)), number) for number in range(4)]

    assert await BatchSigner(lanes).sign(fields) == expected(fields)
    assert lanes.batches == []


async def test_another_public_exponent_is_signed_singly() -> None:
    lanes = Lanes()
    key = make_key(generate_private_key(3, 2048))
    fields = [unsigned(key, number) for number in range(4)]

    assert await BatchSigner(lanes).sign(fields) == expected(fields)
    assert lanes.batches == []


async def test_a_signature_that_failed_its_verification_is_made_anew_and_told(rsa: list[SigningKey]) -> None:
    fields = [unsigned(rsa[0], number) for number in range(5)]

    with capture_logs() as logs:
        made = await BatchSigner(Lanes(faulty=True)).sign(fields)

    assert made == expected(fields)
    assert [(entry["event"], entry["faulty"]) for entry in logs] == [("batch_signature_faulty", 1)]


async def test_nobody_waits_for_ever_when_the_package_fails(rsa: list[SigningKey]) -> None:
    signer = BatchSigner(Lanes(fails=True))
    asked = [asyncio.create_task(signer.sign([unsigned(rsa[0], number)])) for number in range(4)]

    outcomes = await asyncio.gather(*asked, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [MemoryError] * 4


async def test_an_attempt_that_was_cut_off_takes_no_lane(rsa: list[SigningKey]) -> None:
    lanes = Lanes()
    signer = BatchSigner(lanes)
    asked = [asyncio.create_task(signer.sign([unsigned(rsa[0], number)])) for number in range(5)]
    asyncio.get_running_loop().call_soon(asked[0].cancel)  # between the asking and the end of the turn

    outcomes = await asyncio.gather(*asked, return_exceptions=True)

    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1:] == [[one] for one in expected([unsigned(rsa[0], number) for number in range(1, 5)])]
    assert lanes.batches == [4]


@pytest.mark.parametrize(
    ("is_applicable", "found", "signer"),
    [
        pytest.param(None, BatchSigning.NOT_INSTALLED, SingleSigner, id="no package"),
        pytest.param(False, BatchSigning.NOT_APPLICABLE, SingleSigner, id="no such processor"),
        pytest.param(True, BatchSigning.AVAILABLE, BatchSigner, id="both"),
    ],
)
def test_the_best_signer_there_is_gets_chosen(
    monkeypatch: pytest.MonkeyPatch, is_applicable: bool | None, found: BatchSigning, signer: type
) -> None:
    package = ModuleType("gatepost_batch_signing")
    package.__dict__.update(is_applicable=lambda: is_applicable, sign=Lanes())
    # None in sys.modules makes an import fail.
    monkeypatch.setitem(sys.modules, "gatepost_batch_signing", package if is_applicable is not None else None)

    assert find_batch_signing()[0] is found
    assert isinstance(choose_signer(), signer)
