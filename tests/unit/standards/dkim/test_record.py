from base64 import b64encode
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.dkim.record import (
    KeyRecord,
    KeyRecordError,
    load_public_key,
    parse_key_record,
    serialize_key_record,
)

WORDS = st.frozensets(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True), max_size=3)


@given(
    st.builds(
        KeyRecord,
        key_type=st.sampled_from(["rsa", "ed25519", "other"]),
        public_key=st.binary(),
        hash_names=WORDS,
        services=WORDS | st.just(frozenset({"*"})),
        flags=WORDS,
    )
)
def test_a_record_survives_being_written_and_read(record):
    if not record.services:
        record = KeyRecord(key_type=record.key_type, public_key=record.public_key)

    assert parse_key_record(serialize_key_record(record).encode()) == record


def test_defaults_are_those_of_the_rfc():
    record = parse_key_record(b"p=AAAA")

    assert record == KeyRecord(key_type="rsa", public_key=b"\0\0\0")
    assert not record.is_revoked
    assert not record.is_testing


def test_an_empty_key_is_a_revoked_one():
    assert parse_key_record(b"v=DKIM1; p=").is_revoked


def test_the_testing_flag_is_seen():
    assert parse_key_record(b"v=DKIM1; t=s:y; p=AAAA").is_testing


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(b"v=DKIM2; p=AAAA", "v=DKIM1", id="another version"),
        pytest.param(b"k=rsa; v=DKIM1; p=AAAA", "v=DKIM1", id="version not in front"),
        pytest.param(b"v=DKIM1; k=rsa", "p=", id="no key"),
        pytest.param(b"v=DKIM1; p=A", "base64", id="broken base64"),
        pytest.param('v=DKIM1; p=„AAAA"'.encode(), "base64", id="typographic quotes"),
        pytest.param(b'"v=DKIM1; p=AAAA"', "name=value", id="quotes"),
        pytest.param(b"", "name=value", id="empty"),
    ],
)
def test_what_is_no_key_record_is_refused_in_words(text, complaint):
    with pytest.raises(KeyRecordError, match=complaint):
        parse_key_record(text)


def test_rsa_is_read_in_both_notations(rsa_private_key):
    public_key = rsa_private_key.public_key()
    notations = [
        public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public_key.public_bytes(Encoding.DER, PublicFormat.PKCS1),
    ]

    loaded = [load_public_key(KeyRecord(key_type="rsa", public_key=octets)) for octets in notations]

    assert loaded == [public_key, public_key]


def test_ed25519_is_read(ed25519_private_key):
    public_key = ed25519_private_key.public_key()

    loaded = load_public_key(KeyRecord(key_type="ed25519", public_key=public_key.public_bytes_raw()))

    assert isinstance(loaded, Ed25519PublicKey)
    assert loaded == public_key


def test_a_key_of_another_kind_is_refused():
    octets = ec.generate_private_key(ec.SECP256R1()).public_key()

    with pytest.raises(KeyRecordError, match="no rsa key"):
        load_public_key(
            KeyRecord(key_type="rsa", public_key=octets.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        )


def test_a_key_that_would_cost_the_verifier_too_much_is_refused():
    huge = RSAPublicNumbers(65537, (1 << 8200) + 1).public_key()
    octets = huge.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(KeyRecordError, match="8201 bits"):
        load_public_key(KeyRecord(key_type="rsa", public_key=octets))


@given(st.binary())
def test_garbage_is_refused_or_read_and_nothing_else(text):
    with suppress(KeyRecordError):
        assert parse_key_record(text).key_type


@given(st.binary(max_size=200), st.sampled_from(["rsa", "ed25519", "dsa"]))
def test_garbage_for_a_key_is_refused(octets, key_type):
    text = f"k={key_type}; p={b64encode(octets).decode()}".encode()

    with suppress(KeyRecordError):
        assert isinstance(load_public_key(parse_key_record(text)), Ed25519PublicKey | RSAPublicKey)
