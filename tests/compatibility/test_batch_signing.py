"""The compiled package gives, octet for octet, the signatures that ``cryptography`` gives."""

import asyncio
import os
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.standards.dkim.sign import SigningAlgorithm, SigningKey, UnsignedField, sign_digest
from gatepost.system.signing import BatchSign, BatchSigner, BatchSigning, find_batch_signing

CPU = Path("/proc/cpuinfo")

pytestmark = pytest.mark.skipif(
    not CPU.exists() or "avx512ifma" not in CPU.read_text().split(), reason="this processor could not use it"
)


@cache
def batch_sign() -> BatchSign:
    """The package's function; without the package a test is skipped, or fails where nothing may be skipped."""
    found, function = find_batch_signing()
    if function is None:
        assert not os.environ.get("GATEPOST_NO_SKIPS"), f"{BatchSigning.NOT_INSTALLED}: tools/install_batch_signing"
        pytest.skip(f"gatepost-batch-signing is {found.value}: tools/install_batch_signing builds it")
    return function


@cache
def key(number: int) -> SigningKey:
    return SigningKey(
        domain="example.com",
        selector=str(number),
        algorithm=SigningAlgorithm.RSA_SHA256,
        private_key=generate_private_key(65537, 2048),
    )


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 7), st.binary(min_size=32, max_size=32)), min_size=4, max_size=8))
def test_signatures_are_those_of_cryptography(lanes: list[tuple[int, bytes]]) -> None:
    fields = [UnsignedField(key(number), digest, b"") for number, digest in lanes]

    made = asyncio.run(BatchSigner(batch_sign()).sign(fields))

    assert made == [sign_digest(one.key, one.digest) for one in fields]


@given(st.integers(0, 640 * 8 - 1), st.integers(0, 3))
def test_a_fault_in_one_lane_is_found_and_touches_no_other(bit: int, lane: int) -> None:
    good = [(b"\x00\x01" + os.urandom(254), serialized(key(number))) for number in range(4)]
    faulty = bytearray(good[lane][1])
    faulty[bit // 8] ^= 1 << bit % 8
    lanes = [*good[:lane], (good[lane][0], bytes(faulty)), *good[lane + 1 :]]

    expected = batch_sign()(tuple(good))
    made = batch_sign()(tuple(lanes))

    assert None not in expected
    assert made[lane] in (None, expected[lane])
    assert [one for at, one in enumerate(made) if at != lane] == [one for at, one in enumerate(expected) if at != lane]


@pytest.mark.parametrize(
    "lanes",
    [
        pytest.param((), id="none"),
        pytest.param(((b"\x00" * 256, b"\x00" * 896),) * 9, id="too many"),
        pytest.param(((b"\x00" * 255, b"\x00" * 896),), id="short message"),
        pytest.param(((b"\x00" * 256, b"\x00" * 895),), id="short key"),
        pytest.param([(b"\x00" * 256, b"\x00" * 896)], id="no tuple"),
        pytest.param((b"\x00" * 256,), id="no pair"),
        pytest.param(((b"\x00" * 256,),), id="half a pair"),
        pytest.param(((b"\x00" * 256, "key"),), id="text"),
    ],
)
def test_what_is_no_batch_is_refused(lanes: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        batch_sign()(lanes)  # type: ignore[arg-type]  # that is the test


def test_a_key_of_nothing_signs_nothing() -> None:
    assert batch_sign()(((b"\x00\x01" * 128, b"\x00" * 896),)) == [None]


def serialized(signing_key: SigningKey) -> bytes:
    captured: list[tuple[bytes, bytes]] = []

    def capture(lanes: tuple[tuple[bytes, bytes], ...], /) -> list[bytes | None]:
        captured.extend(lanes)
        return [None] * len(lanes)

    asyncio.run(BatchSigner(capture).sign([UnsignedField(signing_key, bytes(32), b"")] * 4))
    return captured[0][1]
