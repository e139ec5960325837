import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import dkim
import pytest

from gatepost.standards.dkim.body_hash import relaxed_body_hash
from gatepost.standards.dkim.sign import SIGNED_NAMES, sign
from gatepost.standards.dkim.signature import parse_signature
from gatepost.standards.dkim.verify import VerificationStatus, verify
from gatepost.standards.message.header import HeaderField, HeaderSection

MADE_AT = datetime(2026, 11, 23, 10, 0, 0, 999999, tzinfo=UTC)
EXPIRES_AT = MADE_AT + timedelta(days=7)
FIELDS = (
    b"Received: from a by b; Mon, 23 Nov 2026 10:00:00 +0000\r\n",
    b"From: =?utf-8?q?J=C3=B6?=  <news@example.com>\r\n",
    b"TO: a@example.net,\r\n\tb@example.net\r\n",
    b"List-Unsubscribe: <https://example.com/1>\r\n",
    b"List-Unsubscribe: <https://example.com/2>\r\n",
    b"Subject:\r\n",
    b"X-Mailer: ours\r\n",
)
BODY = b"Hi.\r\n\r\nWe lost  the game.\t \r\n\tAre you hungry yet?\r\n\r\n\r\n"


def section_of(fields: tuple[bytes, ...]) -> HeaderSection:
    return HeaderSection(tuple([HeaderField(field.partition(b":")[0].strip(b" ").lower(), field) for field in fields]))


def sign_message(keys, fields=FIELDS, body=BODY) -> bytes:
    signatures = sign(section_of(fields), relaxed_body_hash(body), keys, signed_at=MADE_AT, expires_at=EXPIRES_AT)
    return signatures + b"".join(fields) + b"\r\n" + body


def signature_fields(message: bytes) -> list[bytes]:
    return re.findall(rb"(?m)^DKIM-Signature:((?:.|\n[ ])*)\r\n", message)


def test_both_signatures_are_taken_by_dkimpy(keys, zone):
    message = sign_message(keys)

    for index in range(2):
        verifier = dkim.DKIM(message)
        assert verifier.verify(idx=index, dnsfunc=lambda name, timeout=5: zone[name.decode().rstrip(".")].encode())


def test_dkimpy_refuses_what_was_changed_after_signing(keys, zone):
    message = sign_message(keys).replace(b"Subject:", b"Subject: changed")

    assert not dkim.DKIM(message).verify(dnsfunc=lambda name, timeout=5: zone[name.decode().rstrip(".")].encode())


def test_rsa_comes_before_ed25519_whatever_the_order_of_the_keys(keys):
    signatures = [parse_signature(value) for value in signature_fields(sign_message(keys[::-1]))]

    assert [signature.algorithm for signature in signatures] == ["rsa-sha256", "ed25519-sha256"]
    assert [signature.selector for signature in signatures] == ["r", "e"]


def test_the_terms_of_a_signature(keys):
    signature = parse_signature(signature_fields(sign_message(keys))[0])

    assert signature.domain == "example.com"
    assert signature.body_octets is None
    assert signature.signed_at == MADE_AT.replace(microsecond=0)
    assert signature.expires_at == EXPIRES_AT.replace(microsecond=0)
    assert signature.header_form.value == signature.body_form.value == "relaxed"
    assert b"; i=" not in signature_fields(sign_message(keys))[0]


@pytest.mark.parametrize("name", SIGNED_NAMES)
def test_every_signed_field_is_named_once_more_than_it_occurs(name, keys):
    names = parse_signature(signature_fields(sign_message(keys))[0]).header_names

    assert names.count(name) == len(section_of(FIELDS).find_all(name)) + 1


@pytest.mark.parametrize("name", [b"received", b"return-path", b"dkim-signature", b"x-mailer", b"arc-seal", b"bcc"])
def test_trace_and_foreign_fields_are_not_signed(name, keys):
    names = parse_signature(signature_fields(sign_message(keys))[0]).header_names

    assert name not in names


@pytest.mark.parametrize("name", SIGNED_NAMES)
def test_no_signed_field_can_be_added_afterwards(name, keys, zone, ask):
    message = name + b": <evil@example.org>\r\n" + sign_message(keys)

    results = ask(verify(message, at=MADE_AT), zone)

    assert [result.status for result in results] == [VerificationStatus.FAIL, VerificationStatus.FAIL]


def test_ed25519_signs_the_hash_of_the_header_fields(keys):
    # RFC 8463 §3: PureEdDSA over the SHA-256 hash, so the signature has 64 octets and never changes.
    first, second = sign_message(keys[1:]), sign_message(keys[1:])

    assert first == second
    assert len(parse_signature(signature_fields(first)[0]).signature) == 64


def test_no_key_gives_no_signature(keys):
    assert sign(section_of(FIELDS), relaxed_body_hash(BODY), (), signed_at=MADE_AT, expires_at=EXPIRES_AT) == b""


def test_no_line_is_longer_than_smtp_allows(keys):
    long = (b"From: a@example.com\r\n", *[b"List-Id: <a>\r\n"] * 300)

    assert max(len(line) for line in sign_message(keys, fields=long).split(b"\r\n")) <= 998


def test_the_private_key_is_not_in_the_repr(keys, ed25519_private_key):
    text = repr(keys)

    assert "private_key" not in text
    assert b64encode(ed25519_private_key.private_bytes_raw()).decode() not in text
