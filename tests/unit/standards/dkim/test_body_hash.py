from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.dkim import body_hash as module
from gatepost.standards.dkim.body_hash import BodyHasher, relaxed_body_hash
from gatepost.standards.dkim.canonicalize import relaxed_body

PIECES = st.lists(
    st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b"b", b"\r\n\r\n"]), max_size=6).map(b"".join)
)


def hash_pieces(pieces: list[bytes]) -> bytes:
    hasher = BodyHasher()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


@given(PIECES)
def test_pieces_hash_as_the_whole(pieces):
    assert hash_pieces(pieces) == relaxed_body_hash(b"".join(pieces))


@given(PIECES)
def test_octet_by_octet_hashes_as_the_whole(pieces):
    whole = b"".join(pieces)

    assert hash_pieces([bytes([octet]) for octet in whole]) == relaxed_body_hash(whole)


@given(st.binary())
def test_the_hash_is_that_of_the_canonical_body(body):
    assert relaxed_body_hash(body) == sha256(relaxed_body(body)).digest()


def test_the_empty_body_has_the_hash_of_rfc_6376():
    assert relaxed_body_hash(b"").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert BodyHasher().digest() == relaxed_body_hash(b"")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"line \t of text  \r\n" * 200 + b"\r\n\r\n", id="text"),
        pytest.param(b"\r\n" * 5000 + b"x", id="empty lines, then content"),
        pytest.param(b"\r\n" * 5000 + b" ", id="empty lines, then nothing"),
    ],
)
def test_long_bodies_are_hashed_in_slices_with_the_same_result(body, monkeypatch):
    whole = relaxed_body_hash(body)
    monkeypatch.setattr(module, "_WHOLE_OCTETS", 1000)

    assert relaxed_body_hash(body) == whole


def test_what_is_held_between_pieces_does_not_grow():
    hasher = BodyHasher()

    for _ in range(1000):
        hasher.update(b" \t \r\n" * 100 + b"\t " * 100 + b"\r")

    assert len(hasher._rest) <= 2
