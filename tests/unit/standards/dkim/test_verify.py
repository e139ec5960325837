from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.dkim.body_hash import relaxed_body_hash
from gatepost.standards.dkim.canonicalize import Canonicalization, canonicalize_body, canonicalize_field
from gatepost.standards.dkim.sign import sign
from gatepost.standards.dkim.signature import DKIMSignature, add_signature, parse_signature, serialize_signature
from gatepost.standards.dkim.verify import MAX_SIGNATURES, VerificationStatus, verify
from gatepost.standards.dns.question import Answer, AnswerStatus, RecordType
from gatepost.standards.dns.records import TXT
from gatepost.standards.message.header import HeaderField, HeaderSection

PASS, FAIL = VerificationStatus.PASS, VerificationStatus.FAIL
NEUTRAL = VerificationStatus.NEUTRAL
TEMPERROR, PERMERROR = VerificationStatus.TEMPERROR, VerificationStatus.PERMERROR

AT = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
FROM, SUBJECT = b"From: Joe <joe@example.com>\r\n", b"Subject: Is  dinner ready?\r\n"
BODY = b"Hi.\r\n\r\nWe lost  the game.\r\n"

# RFC 6376 Appendix A.2
RFC_6376 = b"""\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")
RFC_6376_ZONE = {
    "brisbane._domainkey.example.com": (
        "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ"
        "KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"
        "IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v"
        "/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi"
        "tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
    )
}
# RFC 8463 Appendix A.3
RFC_8463 = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.

""".replace(b"\n", b"\r\n")
RFC_8463_ZONE = {
    "brisbane._domainkey.football.example.com": ("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
    "test._domainkey.football.example.com": (
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
        "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
        "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
        "Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
    ),
}


def sign_message(keys, body=BODY, *, expires_at=AT + timedelta(days=7)) -> bytes:
    section = HeaderSection((HeaderField(b"from", FROM), HeaderField(b"subject", SUBJECT)))
    return (
        sign(section, relaxed_body_hash(body), keys, signed_at=AT, expires_at=expires_at)
        + section.octets
        + b"\r\n"
        + body
    )


def sign_freely(key, *, fields=(FROM, SUBJECT), body=BODY, **changes) -> bytes:
    """Sign From and Subject with Ed25519 under terms that our own signer never takes."""
    signature = DKIMSignature(
        **{
            "algorithm": "ed25519-sha256",
            "domain": "example.com",
            "selector": "e",
            "header_names": (b"from", b"subject"),
            "body_hash": b"",
        }
        | changes
    )
    canonical = canonicalize_body(body, signature.body_form)[: signature.body_octets]
    unsigned = serialize_signature(replace(signature, body_hash=sha256(canonical).digest()))
    signed = [canonicalize_field(field, signature.header_form) for field in fields]
    digest = sha256(b"".join(signed) + canonicalize_field(unsigned, signature.header_form)[:-2]).digest()
    return add_signature(unsigned, key.sign(digest)) + b"".join(fields) + b"\r\n" + body


def test_the_sample_of_rfc_6376_passes(ask):
    (result,) = ask(verify(RFC_6376, at=AT), RFC_6376_ZONE)

    assert (result.status, result.key_bits) == (PASS, 1024)
    assert result.reason == "signed by example.com (rsa-sha256, 1024 bits)"


def test_both_signatures_of_the_sample_of_rfc_8463_pass(ask):
    results = ask(verify(RFC_8463, at=AT), RFC_8463_ZONE)

    assert [(result.status, result.key_bits) for result in results] == [(PASS, 256), (PASS, 1024)]


def test_our_own_signatures_pass(keys, zone, ask):
    results = ask(verify(sign_message(keys), at=AT), zone)

    assert [result.status for result in results] == [PASS, PASS]


def test_a_message_without_signature_has_no_result(ask):
    assert ask(verify(FROM + b"\r\n" + BODY, at=AT), {}) == ()


def test_the_key_is_asked_for_by_selector_and_domain(keys):
    question = next(verify(sign_message(keys[:1]), at=AT))

    assert (question.name, question.type) == ("r._domainkey.example.com", RecordType.TXT)


@pytest.mark.parametrize("header_form", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body_form", [b"simple", b"relaxed"])
@pytest.mark.parametrize("index", [pytest.param(0, id="rsa"), pytest.param(1, id="ed25519")])
def test_what_dkimpy_signs_passes(keys, zone, ask, index, header_form, body_form):
    key = keys[index]
    if index == 0:
        private_key = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    else:
        private_key = b64encode(key.private_key.private_bytes_raw())
    message = FROM + SUBJECT + b"\r\n" + BODY
    field = dkim.sign(
        message,
        key.selector.encode(),
        b"example.com",
        private_key,
        canonicalize=(header_form, body_form),
        signature_algorithm=key.algorithm.value.encode(),
    )

    (result,) = ask(verify(field + message, at=datetime(2100, 1, 1, tzinfo=UTC)), zone)

    assert result.status is PASS, result.reason


@pytest.mark.parametrize("header_form", Canonicalization)
@pytest.mark.parametrize("body_form", Canonicalization)
def test_every_pair_of_forms_passes(ed25519_private_key, zone, ask, header_form, body_form):
    message = sign_freely(ed25519_private_key, header_form=header_form, body_form=body_form)

    (result,) = ask(verify(message, at=AT), zone)

    assert result.status is PASS, result.reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param(b"We lost", b"We won", "body was changed", id="body"),
        pytest.param(b"dinner", b"supper", "header field was changed", id="signed field"),
        pytest.param(b"t=1795", b"t=1794", "header field was changed", id="signature field"),
        pytest.param(b" b=", b" b=AAAA", "header field was changed", id="signature octets"),
    ],
)
def test_a_change_is_found_and_named(keys, zone, ask, old, new, reason):
    message = sign_message(keys)
    assert old in message

    results = ask(verify(message.replace(old, new), at=AT), zone)

    assert [result.status for result in results] == [FAIL, FAIL]
    assert all(reason in result.reason for result in results)


def test_white_space_may_change_under_the_relaxed_form(keys, zone, ask):
    message = sign_message(keys)
    head, _, body = message.partition(b"Subject: ")
    changed = head + b"SUBJECT :\t " + body.replace(b"lost  the", b"lost \t the") + b" \r\n\r\n"

    results = ask(verify(changed, at=AT), zone)

    assert [result.status for result in results] == [PASS, PASS]


def test_an_expired_signature_fails(keys, zone, ask):
    message = sign_message(keys, expires_at=AT + timedelta(days=7))

    before = ask(verify(message, at=AT + timedelta(days=7, seconds=-1)), zone)
    after = ask(verify(message, at=AT + timedelta(days=7)), zone)

    assert before[0].status is PASS
    assert after[0].status is FAIL
    assert "expired at 2026-11-30 10:00:00 UTC" in after[0].reason


def test_octets_that_l_leaves_unsigned_are_reported(ed25519_private_key, zone, ask):
    message = sign_freely(ed25519_private_key, body_octets=5, body_form=Canonicalization.SIMPLE)

    (result,) = ask(verify(message + b"Buy!\r\n", at=AT), zone)

    assert result.status is PASS
    assert result.unsigned_octets == len(BODY) - 5 + 6
    assert "not signed (l=)" in result.reason


def test_a_body_shorter_than_l_fails(ed25519_private_key, zone, ask):
    message = sign_freely(ed25519_private_key, body_octets=len(BODY) - 1)

    (result,) = ask(verify(message.replace(b"the game", b"it"), at=AT), zone)

    assert result.status is FAIL
    assert "shortened" in result.reason


def test_a_signature_cannot_sign_itself_but_may_sign_another(ed25519_private_key, zone, ask):
    other = b"DKIM-Signature: v=1; whatever\r\n"
    message = sign_freely(
        ed25519_private_key, fields=(FROM, other), header_names=(b"from", b"dkim-signature", b"dkim-signature")
    )

    first, second = ask(verify(message, at=AT), zone)

    assert first.status is PASS, first.reason
    assert second.status is NEUTRAL


def test_fields_of_one_name_are_taken_from_the_bottom_up(ed25519_private_key, zone, ask):
    message = sign_freely(ed25519_private_key)

    (added,) = ask(verify(b"Subject: another\r\n" + message, at=AT), zone)
    (replaced,) = ask(verify(message.replace(b"\r\n\r\nHi", b"\r\nSubject: another\r\n\r\nHi"), at=AT), zone)

    assert added.status is PASS, "one mention signs the last instance, so oversigning matters"
    assert replaced.status is FAIL


def test_rsa_sha1_is_refused_without_asking_for_the_key(ask):
    message = RFC_6376.replace(b"rsa-sha256", b"rsa-sha1")

    (result,) = ask(verify(message, at=AT), {})

    assert result.status is FAIL
    assert "RFC 8301" in result.reason


def test_an_unknown_algorithm_is_neutral(ask):
    (result,) = ask(verify(RFC_6376.replace(b"rsa-sha256", b"rsa-sha512"), at=AT), {})

    assert (result.status, result.reason) == (NEUTRAL, "the algorithm rsa-sha512 is unknown")


def test_a_key_below_1024_bits_fails(keys, ask):
    weak = RSAPublicNumbers(65537, (1 << 1022) + 1).public_key()
    octets = weak.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    zone = {"r._domainkey.example.com": f"v=DKIM1; p={b64encode(octets).decode()}"}

    (result,) = ask(verify(sign_message(keys[:1]), at=AT), zone)

    assert result.status is FAIL
    assert "1023 bits" in result.reason


def found(*texts: str) -> Answer:
    return Answer(status=AnswerStatus.FOUND, records=tuple([TXT(text.encode()) for text in texts]))


@pytest.mark.parametrize(
    ("record", "status", "reason"),
    [
        pytest.param(None, PERMERROR, "no TXT record at r._domainkey.example.com", id="no such name"),
        pytest.param(Answer(status=AnswerStatus.NO_DATA), PERMERROR, "no TXT record", id="no data"),
        pytest.param(Answer(status=AnswerStatus.FAILED, detail="timed out"), TEMPERROR, "timed out", id="time-out"),
        pytest.param("hello", PERMERROR, "is no key record", id="no key record"),
        pytest.param("v=DKIM1; p=", PERMERROR, "revoked", id="revoked"),
        pytest.param("k=ed25519; p=AAAA", PERMERROR, "needs a key of type rsa", id="another type"),
        pytest.param("p=AAAA", PERMERROR, "no rsa key", id="garbage"),
        pytest.param("h=sha1; {p}", PERMERROR, "SHA-256", id="another hash"),
        pytest.param("s=tlsrpt; {p}", PERMERROR, "not for e-mail", id="another service"),
        pytest.param("s=tlsrpt:email; h=sha1:sha256; t=s; n=note; {p}", PASS, "signed by", id="all restrictions met"),
        pytest.param(found("v=spf1 -all", "{p}"), PASS, "signed by", id="a stray record before the key"),
        pytest.param(found("x", "y"), PERMERROR, "is no key record", id="two stray records"),
    ],
)
def test_key_records(keys, zone, ask, record, status, reason):
    key = zone["r._domainkey.example.com"].removeprefix("v=DKIM1; k=rsa; ")
    if isinstance(record, str):
        record = record.replace("{p}", key)
    elif record and record.records:
        record = found(*[text.text.decode().replace("{p}", key) for text in record.records])

    (result,) = ask(verify(sign_message(keys[:1]), at=AT), {"r._domainkey.example.com": record})

    assert (result.status, result.is_testing) == (status, False)
    assert reason in result.reason


def test_the_testing_flag_is_told_beside_a_failure(keys, zone, ask):
    zone = {name: text + "; t=y" for name, text in zone.items()}

    results = ask(verify(sign_message(keys).replace(b"dinner", b"x"), at=AT), zone)

    assert [(result.status, result.is_testing) for result in results] == [(FAIL, True), (FAIL, True)]


def test_a_key_may_forbid_sub_domains_in_the_identity(ed25519_private_key, zone, ask):
    message = sign_freely(ed25519_private_key, identity="joe@mail.example.com")
    strict = {name: text + "; t=s" for name, text in zone.items()}

    (allowed,) = ask(verify(message, at=AT), zone)
    (forbidden,) = ask(verify(message, at=AT), strict)

    assert allowed.status is PASS
    assert (forbidden.status, "t=s" in forbidden.reason) == (PERMERROR, True)


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        pytest.param("EXAMPLE.com", "e._domainkey.example.com", id="upper case"),
        pytest.param("bücher.example", "e._domainkey.xn--bcher-kva.example", id="U-label, RFC 8616"),
    ],
)
def test_domains_are_asked_for_in_the_form_of_the_dns(ed25519_private_key, domain, name):
    message = sign_freely(ed25519_private_key, domain=domain)

    assert next(verify(message, at=AT)).name == name


@pytest.mark.parametrize(
    "domain",
    [
        pytest.param("a..example", id="empty label"),
        pytest.param("a" * 64 + ".example", id="long label"),
        pytest.param("a." * 140 + "example", id="long name"),
        pytest.param("☃︎.example", id="not IDNA"),
        pytest.param("ü" * 60 + ".example", id="long A-label"),
    ],
)
def test_what_is_no_name_of_the_dns_is_not_asked_for(ed25519_private_key, ask, domain):
    (result,) = ask(verify(sign_freely(ed25519_private_key, domain=domain), at=AT), {})

    assert result.status is PERMERROR
    assert "no name of the DNS" in result.reason


def test_only_so_many_signatures_are_checked(ask):
    field = RFC_6376[: RFC_6376.index(b"Received:")]

    results = ask(verify(field * MAX_SIGNATURES + RFC_6376, at=AT), RFC_6376_ZONE)

    assert [result.status for result in results] == [PASS] * MAX_SIGNATURES + [NEUTRAL]


@given(st.binary())
def test_garbage_for_a_message_ends_in_results(ask, message):
    assert isinstance(ask(verify(b"DKIM-Signature: " + message, at=AT), {}), tuple)


@given(
    place=st.integers(0, len(RFC_6376)),
    length=st.integers(0, 40),
    octets=st.binary(max_size=20) | st.sampled_from([b";", b"=", b"\r\n", b"\r\n\r\n", b":", b"\xff", b"\0"]),
    record=st.binary(max_size=60) | st.just(RFC_6376_ZONE["brisbane._domainkey.example.com"].encode()),
)
def test_a_damaged_message_or_record_ends_in_results(ask, place, length, octets, record):
    message = RFC_6376[:place] + octets + RFC_6376[place + length :]
    answer = Answer(status=AnswerStatus.FOUND, records=(TXT(record),))

    results = ask(verify(message, at=AT), {"brisbane._domainkey.example.com": answer})

    assert all(result.reason for result in results)


def test_the_signature_read_is_part_of_the_result(keys, zone, ask):
    message = sign_message(keys[:1])
    value = message[: message.index(b"From:")].partition(b":")[2]

    (result,) = ask(verify(message, at=AT), zone)

    assert result.signature == parse_signature(value)
