"""The ordered checks: at least 60 ways to speak in another's name, each refused with its reason; honest mail taken."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from gatepost.mailflow.content import MAX_HEAD_OCTETS, MemoryContent
from gatepost.mailflow.envelope import Envelope
from gatepost.mailflow.submission.policy import (
    MAX_RECEIVED_FIELDS,
    SubmissionDenial,
    decide_identity,
    decide_recipient,
    decide_reverse_path,
    examine,
)
from gatepost.primitives.decision import ALLOW, Deny
from gatepost.standards.address import parse_mailbox
from gatepost.standards.message.header import MAX_SECTION_OCTETS

MALFORMED = SubmissionDenial.HEADER_MALFORMED
TOO_LONG = SubmissionDenial.HEADER_TOO_LONG
AMBIGUOUS = SubmissionDenial.AUTHOR_AMBIGUOUS
AUTHOR = SubmissionDenial.AUTHOR_NOT_VERIFIED
SENDER = SubmissionDenial.SENDER_NOT_VERIFIED
REVERSE_PATH = SubmissionDenial.REVERSE_PATH_NOT_VERIFIED
EIGHT_BIT = SubmissionDenial.EIGHT_BIT_NOT_DECLARED
LOOP = SubmissionDenial.LOOP
X_SMTPAPI = SubmissionDenial.X_SMTPAPI
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def mailbox(text):
    return parse_mailbox(text.encode(), allow_utf8=True)


def envelope(reverse_path="bounce@example.com", *, smtputf8=False):
    return Envelope(
        reverse_path=mailbox(reverse_path) if reverse_path else None,
        forward_paths=(mailbox("bob@example.org"),),
        needs_smtputf8=smtputf8,
    )


def judge(principal, domains, header, envelope):
    identity = examine(MemoryContent(header.encode() + b"\r\n\r\nHello.\r\n"), envelope, NOW)
    if isinstance(identity, Deny):
        return identity
    return decide_identity(principal, envelope, identity, domains)


# Name: header section, reason. The reverse-path is our own. Classes: another's name in a field, several authors,
# display names, folding and line ends, doubled and disguised fields, encodings.
SPOOFS = {
    "author of another tenant": ("From: ceo@victim.example", AUTHOR),
    "author of another tenant, with a name": ('From: "CEO" <ceo@victim.example>', AUTHOR),
    "author below another tenant": ("From: ceo@mail.victim.example", AUTHOR),
    "author in a sub-domain lent to another": ("From: a@lent.example.com", AUTHOR),
    "author in nobody's domain": ("From: a@unknown.example", AUTHOR),
    "author in a domain that ends alike": ("From: a@notexample.com", AUTHOR),
    "author in a domain that begins alike": ("From: a@example.com.attacker.test", AUTHOR),
    "author in the parent": ("From: a@com", AUTHOR),
    "author at an address literal": ("From: a@[192.0.2.1]", AUTHOR),
    "author by look-alike domain": ("From: a@xn--exmple-cua.com", AUTHOR),
    "author of another tenant, upper case": ("FROM: CEO@VICTIM.EXAMPLE", AUTHOR),
    "author of another tenant, folded": ("From:\r\n ceo@victim.example", AUTHOR),
    "sender of another tenant": ("From: a@example.com\r\nSender: ceo@victim.example", SENDER),
    "sender in nobody's domain": ("From: a@example.com\r\nSender: a@unknown.example", SENDER),
    "resender of another tenant": ("From: a@example.com\r\nResent-From: ceo@victim.example", SENDER),
    "resent sender of another tenant": ("From: a@example.com\r\nResent-Sender: ceo@victim.example", SENDER),
    "second resender of another tenant": (
        "Resent-From: a@example.com\r\nResent-From: ceo@victim.example\r\nFrom: a@example.com",
        SENDER,
    ),
    "resender that is a list": ("From: a@example.com\r\nResent-From: a@example.com, ceo@victim.example", AMBIGUOUS),
    "no author": ("Subject: hello", AMBIGUOUS),
    "empty author": ("From:", AMBIGUOUS),
    "only a sender": ("Sender: a@example.com", AMBIGUOUS),
    "two From fields": ("From: a@example.com\r\nFrom: ceo@victim.example", AMBIGUOUS),
    "two From fields, other order": ("From: ceo@victim.example\r\nFrom: a@example.com", AMBIGUOUS),
    "two From fields apart": ("From: a@example.com\r\nTo: b@example.org\r\nfrom: ceo@victim.example", AMBIGUOUS),
    "two equal From fields": ("From: a@example.com\r\nFrom: a@example.com", AMBIGUOUS),
    "two Sender fields": ("From: a@example.com\r\nSender: a@example.com\r\nSender: ceo@victim.example", AMBIGUOUS),
    "two authors": ("From: a@example.com, ceo@victim.example", AMBIGUOUS),
    "two authors, other order": ("From: ceo@victim.example, a@example.com", AMBIGUOUS),
    "two own authors": ("From: a@example.com, b@example.com", AMBIGUOUS),
    "two authors in brackets": ("From: <ceo@victim.example><a@example.com>", AMBIGUOUS),
    "two authors, one with a name": ("From: CEO <ceo@victim.example>, a@example.com", AMBIGUOUS),
    "two senders": ("From: a@example.com\r\nSender: a@example.com, ceo@victim.example", AMBIGUOUS),
    "empty sender": ("From: a@example.com\r\nSender:", AMBIGUOUS),
    "sender that is a group": ("From: a@example.com\r\nSender: x:ceo@victim.example;", AMBIGUOUS),
    "group": ("From: Staff: ceo@victim.example, a@example.com;", AMBIGUOUS),
    "empty group": ("From: CEO:;", AMBIGUOUS),
    "route": ("From: <@victim.example:a@example.com>", AMBIGUOUS),
    "route with two hosts": ("From: <@victim.example,@x.example:a@example.com>", AMBIGUOUS),
    "percent hack": ("From: ceo%victim.example@example.com", AMBIGUOUS),
    "bang path": ("From: victim.example!ceo@example.com", AMBIGUOUS),
    "second @": ("From: ceo@victim.example@example.com", AMBIGUOUS),
    "comment in front": ("From: (ceo@victim.example) a@example.com", AMBIGUOUS),
    "comment behind": ("From: a@example.com (ceo@victim.example)", AMBIGUOUS),
    "comment with a bracket": ("From: a@example.com (<ceo@victim.example>)", AMBIGUOUS),
    "comment in the domain": ("From: a@example.com(.victim.example)", AMBIGUOUS),
    "nested comment": ("From: ceo@victim.example(()) <a@example.com>", AMBIGUOUS),
    "address outside the brackets": ("From: ceo@victim.example <a@example.com>", AMBIGUOUS),
    "address behind the brackets": ("From: <a@example.com> ceo@victim.example", AMBIGUOUS),
    "name that is an address": ('From: "ceo@victim.example" <a@example.com>', AMBIGUOUS),
    "name with a bracketed address": ('From: "CEO <ceo@victim.example>" <a@example.com>', AMBIGUOUS),
    "name with an unpaired bracket": ('From: "CEO <" <a@example.com>', AMBIGUOUS),
    "name with two addresses": ('From: "a@example.com, ceo@victim.example" <a@example.com>', AMBIGUOUS),
    "name with a quoted quote": ('From: "CEO\\" <ceo@victim.example> \\"" <a@example.com>', AMBIGUOUS),
    "name quoted and folded": ('From: "ceo@victim\r\n .example" <a@example.com>', AMBIGUOUS),
    "name folded away": ('From: "CEO" <ceo@victim.example>\r\n  , <a@example.com>', AMBIGUOUS),
    "name far in front": ("From: " + "CEO " * 600 + "<a@example.com>", AMBIGUOUS),
    "name with full-width @": ("From: =?utf-8?q?ceo=EF=BC=A0victim.example?= <a@example.com>", AMBIGUOUS),
    "name encoded, Q": ("From: =?utf-8?q?ceo=40victim.example?= <a@example.com>", AMBIGUOUS),
    "name encoded, B": ("From: =?utf-8?b?Y2VvQHZpY3RpbS5leGFtcGxl?= <a@example.com>", AMBIGUOUS),
    "name encoded, with brackets": (
        "From: =?utf-8?b?Q0VPIDxjZW9AdmljdGltLmV4YW1wbGU+?= <a@example.com>",
        AMBIGUOUS,
    ),
    "name encoded in quotes": ('From: "=?utf-8?q?ceo=40victim.example?=" <a@example.com>', AMBIGUOUS),
    "name encoded with a line end": ("From: =?utf-8?q?CEO=0D=0ABcc:_x?= <a@example.com>", AMBIGUOUS),
    "name encoded in UTF-7": ("From: =?utf-7?q?ceo+AEA-victim.example?= <a@example.com>", AMBIGUOUS),
    "whole field encoded": ("From: =?utf-8?q?CEO_=3Cceo=40victim.example=3E?=", AMBIGUOUS),
    "encoded word in the local part": ("From: =?utf-8?q?ceo=40victim.example=3e?=@example.com", AMBIGUOUS),
    "encoded word in the domain": ("From: a@=?utf-8?q?victim?=.example", AMBIGUOUS),
    "quoted local part": ('From: "ceo@victim.example"@example.com', AMBIGUOUS),
    "quoted local part with a bracket": ('From: <"ceo@victim.example>"@example.com>', AMBIGUOUS),
    "backslash": ("From: ceo\\@victim.example@example.com", AMBIGUOUS),
    "trailing dot": ("From: a@example.com.", AMBIGUOUS),
    "punycode that does not round-trip": ("From: a@xn--0049.example.com", AMBIGUOUS),
    "white space in the brackets": ("From: < a@example.com >", AMBIGUOUS),
    "space before the colon": ("From : ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "tab before the colon": ("From: a@example.com\r\nFrom\t: ceo@victim.example", MALFORMED),
    "space before the name": (" From: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "empty line first": ("\r\nFrom: ceo@victim.example", MALFORMED),
    "continuation of white space only": ("From: a@example.com\r\n \r\n ceo@victim.example", MALFORMED),
    "line without a colon": ("From: a@example.com\r\nFrom ceo@victim.example", MALFORMED),
    "NUL in the name": ("From\x00: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "NUL in the body": ("From: a@example.com\x00ceo@victim.example", MALFORMED),
    "bare LF": ("X: y\nFrom: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "bare CR": ("X: y\rFrom: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "vertical tab": ("X: y\x0bFrom: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "form feed": ("X: y\x0cFrom: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "8-bit in the name": ("Fr\u00f6m: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "full-width name": ("\uff26rom: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "next line": ("X: y\u0085From: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "line separator": ("X: y\u2028From: ceo@victim.example\r\nFrom: a@example.com", MALFORMED),
    "two subjects": ("From: a@example.com\r\nSubject: a\r\nSubject: b", MALFORMED),
    "two reply-to": ("From: a@example.com\r\nReply-To: a@example.com\r\nReply-To: b@victim.example", MALFORMED),
    "two to": ("From: a@example.com\r\nTo: b@example.org\r\nTo: c@example.org", MALFORMED),
    "two dates": ("From: a@example.com\r\nDate: x\r\nDate: y", MALFORMED),
    "two message ids": ("From: a@example.com\r\nMessage-ID: <x@y>\r\nMessage-ID: <z@y>", MALFORMED),
    "two content types": ("From: a@example.com\r\nContent-Type: text/plain\r\ncontent-type: text/html", MALFORMED),
    "raw UTF-8 name": ("From: Müller <a@example.com>", EIGHT_BIT),
    "raw UTF-8 elsewhere": ("From: a@example.com\r\nSubject: für dich", EIGHT_BIT),
}


@pytest.mark.parametrize(("header", "reason"), SPOOFS.values(), ids=SPOOFS)
def test_spoof_is_refused(header, reason, principal, domains):
    decision = judge(principal, domains, header, envelope())

    assert isinstance(decision, Deny)
    assert (decision.reason, bool(decision.detail)) == (reason, True)


SPOOFS_SMTPUTF8 = {
    "author of another tenant": ("From: Jörg <jörg@victim.example>", AUTHOR),
    "full-width @": ("From: ceo\uff20victim.example <a@example.com>", AMBIGUOUS),
    "full-width @ in the address": ("From: a\uff20example.com", AMBIGUOUS),
    "overflow to an @": ("From: ceo\u0140victim.example@example.com", AMBIGUOUS),
    "ideographic full stop": ("From: a@victim\u3002example.com", AMBIGUOUS),
    "right-to-left override": ("From: \u202eelpmaxe.mitciv <a@example.com>", AMBIGUOUS),
    "full-width brackets": ("From: \uff1cceo\uff1e <a@example.com>", AMBIGUOUS),
    "look-alike domain": ("From: a@ex\u0430mple.com", AUTHOR),
}


@pytest.mark.parametrize(("header", "reason"), SPOOFS_SMTPUTF8.values(), ids=SPOOFS_SMTPUTF8)
def test_spoof_is_refused_with_smtputf8_too(header, reason, principal, domains):
    decision = judge(principal, domains, header, envelope(smtputf8=True))

    assert isinstance(decision, Deny)
    assert decision.reason is reason


@pytest.mark.parametrize(
    "reverse_path",
    [
        pytest.param("ceo@victim.example", id="another tenant's"),
        pytest.param("a@mail.victim.example", id="below another tenant's"),
        pytest.param("a@lent.example.com", id="lent to another"),
        pytest.param("a@unknown.example", id="nobody's"),
        pytest.param("root@localhost", id="single label"),
        pytest.param("a@[192.0.2.1]", id="address literal"),
    ],
)
def test_reverse_path_of_another_is_refused(reverse_path, principal, domains):
    expected = Deny(REVERSE_PATH, reverse_path)

    assert decide_reverse_path(principal, mailbox(reverse_path), domains) == expected
    assert judge(principal, domains, "From: a@example.com", envelope(reverse_path)) == expected


HONEST = {
    "bare address": "From: a@example.com",
    "sub-domain": "From: a@news.example.com",
    "name": "From: Alice Smith <a@example.com>",
    "quoted name with a comma": 'From: "Smith, Alice" <a@example.com>',
    "name with dots": "From: Alice B. Smith <a@example.com>",
    "name that is the address": 'From: "a@example.com" <a@example.com>',
    "name with quotes": 'From: "Alice \\"Al\\" Smith" <a@example.com>',
    "long name": 'From: "' + "Alice of a very long name " * 20 + '" <a@example.com>',
    "encoded name": "From: =?utf-8?q?Alice_M=C3=BCller=2C_PhD?= <a@example.com>",
    "encoded name in base64": "From: =?UTF-8?B?QWxpY2UgTcO8bGxlcg==?= <a@example.com>",
    "several encoded words, folded": "From: =?utf-8?q?Alice?=\r\n =?utf-8?q?_M=C3=BCller?=\r\n <a@example.com>",
    "encoded name in quotes": 'From: "=?utf-8?q?M=C3=BCller?=" <a@example.com>',
    "folded": "From: Alice Smith\r\n\t<a@example.com>",
    "folded at once": "From:\r\n Alice <a@example.com>",
    "upper case": "FROM: <A@EXAMPLE.COM>",
    "no space after the colon": "From:a@example.com",
    "internationalized domain": "From: a@xn--bcher-kva.example",
    "plus tag": "From: a+tag@example.com",
    "quoted local part with dots": 'From: "a..b"@example.com',
    "own sender": "From: a@example.com\r\nSender: b@example.com",
    "own sender elsewhere": "From: a@example.com\r\nSender: Robot <b@news.example.com>",
    "own resender": "From: a@example.com\r\nResent-From: b@example.com\r\nResent-Sender: c@example.com",
    "resent twice": "Resent-From: b@example.com\r\nResent-From: c@example.com\r\nFrom: a@example.com",
    "reply-to anywhere": "From: a@example.com\r\nReply-To: x@elsewhere.example, y@victim.example",
    "other fields twice": "From: a@example.com\r\nX-Tag: a\r\nX-Tag: b\r\nReceived: x\r\nReceived: y\r\nKeywords: a",
    "empty X-SMTPAPI": "X-SMTPAPI:\r\nFrom: a@example.com",
    "X-SMTPAPI of nothing": "X-SMTPAPI: {}\r\nFrom: a@example.com",
    "X-SMTPAPI of nothing, folded": "X-SMTPAPI: {\r\n }\r\nFrom: a@example.com",
    "as many hops as may be": "Received: x\r\n" * MAX_RECEIVED_FIELDS + "From: a@example.com",
    "everything at once": (
        "Received: from a by b; Mon, 23 Nov 2026 18:50:00 +0000\r\nFrom: Alice <a@example.com>\r\n"
        "To: bob@example.org, team: carol@example.org;\r\nCc: dave@example.org\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n"
        "Date: Mon, 23 Nov 2026 18:50:00 +0000\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="x"\r\nList-Unsubscribe: <mailto:u@example.com>'
    ),
}


@pytest.mark.parametrize("header", HONEST.values(), ids=HONEST)
def test_honest_message_is_taken(header, principal, domains):
    assert judge(principal, domains, header, envelope()) == ALLOW


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("From: Müller <a@example.com>", id="name"),
        pytest.param("From: jörg@example.com", id="local part"),
        pytest.param("From: a@bücher.example", id="domain"),
        pytest.param("From: a@example.com\r\nSubject: für dich", id="subject"),
    ],
)
def test_utf8_header_is_taken_with_smtputf8(header, principal, domains):
    assert judge(principal, domains, header, envelope(smtputf8=True)) == ALLOW


def test_null_reverse_path_is_taken_and_the_author_rule_still_holds(principal, domains):
    assert decide_reverse_path(principal, None, domains) == ALLOW
    assert judge(principal, domains, "From: a@example.com", envelope(None)) == ALLOW
    assert judge(principal, domains, "From: a@victim.example", envelope(None)) == Deny(AUTHOR, "a@victim.example")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param("From: news@example.com", None, id="author allowed"),
        pytest.param("From: ceo@example.com", SubmissionDenial.AUTHOR_NOT_ALLOWED, id="other author"),
        pytest.param("From: news@example.com\r\nSender: news@example.com", None, id="sender allowed"),
        pytest.param("From: news@example.com\r\nSender: ceo@example.com", SENDER, id="other sender"),
        pytest.param("From: news@example.com\r\nResent-From: ceo@example.com", SENDER, id="other resender"),
    ],
)
def test_restricted_key_is_held_to_its_authors(header, reason, principal, domains):
    restricted = replace(principal, allowed_authors=("news@example.com",))

    decision = judge(restricted, domains, header, envelope())

    assert (decision.reason if isinstance(decision, Deny) else None) is reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param(
            "Received: x\r\n" * (MAX_RECEIVED_FIELDS + 1) + "From: a@example.com", LOOP, id="one hop too many"
        ),
        pytest.param('X-SMTPAPI: {"ip_pool": "x"}\r\nFrom: a@example.com', X_SMTPAPI, id="X-SMTPAPI with a wish"),
        pytest.param("X-SMTPAPI: []\r\nFrom: a@example.com", X_SMTPAPI, id="X-SMTPAPI that is no object"),
        pytest.param("X-SMTPAPI: {}\r\nx-smtpapi: x\r\nFrom: a@example.com", X_SMTPAPI, id="second X-SMTPAPI"),
        pytest.param("X: y\r\n" * 1001 + "From: a@example.com", TOO_LONG, id="too many fields"),
        pytest.param("X: " + "y" * MAX_SECTION_OCTETS + "\r\nFrom: a@example.com", TOO_LONG, id="too many octets"),
    ],
)
def test_message_is_refused_with_its_reason(header, reason, principal, domains):
    decision = judge(principal, domains, header, envelope())

    assert isinstance(decision, Deny)
    assert decision.reason is reason


def test_detail_tells_the_client_what_to_mend(principal, domains):
    decision = judge(principal, domains, "From: a@example.com\r\nSubject: a\r\nSubject: b", envelope())

    assert decision == Deny(MALFORMED, "there are several subject fields: leave one")


@dataclass(frozen=True)
class LargeContent:
    """A content on disk, of which only the beginning is read."""

    start: bytes
    size_octets: int

    def head(self) -> bytes:
        return self.start

    def chunks(self) -> Iterator[bytes]:
        raise AssertionError("the policy does not need the body")


def test_only_the_head_of_a_content_is_read():
    content = LargeContent(b"From: a@example.com\r\n\r\nHel", 1 << 24)

    assert not isinstance(examine(content, envelope(), NOW), Deny)


def test_head_without_its_end_is_too_long():
    content = LargeContent(b"From: a@example.com\r\nX: " + b"y" * 4096, 1 << 24)

    assert examine(content, envelope(), NOW).reason is TOO_LONG


def test_contents_keep_at_least_the_section_we_read():
    assert MAX_HEAD_OCTETS >= MAX_SECTION_OCTETS


@pytest.mark.parametrize(
    ("address", "is_routable"),
    [
        pytest.param("bob@example.org", True, id="a name"),
        pytest.param("bob@mail.example.test", True, id="test"),
        pytest.param("bob@mx.example", True, id="example"),
        pytest.param("bob@corp.local", True, id="local may have a route"),
        pytest.param("bob@[192.0.2.1]", False, id="IPv4 literal"),
        pytest.param("bob@[IPv6:2001:db8::1]", False, id="IPv6 literal"),
        pytest.param("bob@localhost", False, id="single label"),
        pytest.param("bob@com", False, id="top level"),
        pytest.param("bob@mail.localhost", False, id="localhost"),
        pytest.param("bob@mail.invalid", False, id="invalid"),
        pytest.param("bob@abc.onion", False, id="onion"),
        pytest.param("bob@abc.alt", False, id="alt"),
        pytest.param("bob@relay.example.net", False, id="our own name"),
        pytest.param("bob@sub.relay.example.net", True, id="below our own name"),
    ],
)
def test_recipient_that_no_mx_could_answer_for_is_refused(address, is_routable):
    expected = ALLOW if is_routable else Deny(SubmissionDenial.RECIPIENT_NOT_ROUTABLE, str(mailbox(address)))

    assert decide_recipient(mailbox(address), frozenset({"relay.example.net"})) == expected
