import email
import email.policy

import pytest

from gatepost.mailflow.submission.compose import BOUNDARY_OCTETS, Draft, compose
from gatepost.standards.address import Mailbox, parse_mailbox
from gatepost.standards.message.author import find_author
from gatepost.standards.message.header import parse_header_section
from gatepost.standards.message.header_build import BuildError, NamedMailbox
from gatepost.standards.message.mime_build import build_attachment, build_text

SEED = bytes(range(BOUNDARY_OCTETS))
ANN = Mailbox(local_part="ann", domain="example.test")
TEXT, HTML = build_text("text/plain", "Hello"), build_text("text/html", "<p>Hello")
LOGO = build_attachment("image/png", b"aGk=", filename="logo.png", is_inline=True, content_id="logo")
REPORT = build_attachment("application/pdf", b"aGk=", filename="report.pdf")


def to(*names):
    return tuple(NamedMailbox(Mailbox(local_part=name, domain="dest.test")) for name in names)


def draft(**change):
    return Draft(**({"author": NamedMailbox(ANN, "Ann"), "to": to("bob"), "subject": "Hi", "texts": (TEXT,)} | change))


def read(content):
    return email.message_from_bytes(content.octets, policy=email.policy.default)


def shape(message):
    if not message.is_multipart():
        return message.get_content_type()
    return {message.get_content_subtype(): [shape(part) for part in message.iter_parts()]}


def test_a_plain_message_is_written_octet_for_octet():
    _, content = compose(draft(), SEED)

    assert content.octets == (
        b"From: Ann <ann@example.test>\r\nTo: bob@dest.test\r\nSubject: Hi\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 7bit\r\n\r\nHello\r\n'
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"texts": (HTML,)}, "text/html", id="one text"),
        pytest.param({"texts": (TEXT, HTML)}, {"alternative": ["text/plain", "text/html"]}, id="two texts"),
        pytest.param({"attachments": (REPORT,)}, {"mixed": ["text/plain", "application/pdf"]}, id="attachment"),
        pytest.param({"inline": (LOGO,)}, {"related": ["text/plain", "image/png"]}, id="inline"),
        pytest.param(
            {"texts": (TEXT, HTML), "inline": (LOGO,), "attachments": (REPORT,)},
            {
                "mixed": [
                    {"related": [{"alternative": ["text/plain", "text/html"]}, "image/png"]},
                    "application/pdf",
                ]
            },
            id="all",
        ),
    ],
)
def test_parts_are_nested_as_far_as_there_is_more_than_one(change, expected):
    _, content = compose(draft(**change), SEED)

    assert shape(read(content)) == expected
    assert content.octets.endswith(b"\r\n")


def test_bcc_is_in_the_envelope_and_nowhere_in_the_content():
    envelope, content = compose(draft(cc=to("cc1"), bcc=to("hidden"), reply_to=to("r1", "r2")), SEED)

    assert [mailbox.local_part for mailbox in envelope.forward_paths] == ["bob", "cc1", "hidden"]
    assert envelope.reverse_path == ANN
    assert b"hidden" not in content.octets
    assert read(content)["Cc"] == "cc1@dest.test"
    assert read(content)["Reply-To"] == "r1@dest.test, r2@dest.test"


def test_our_own_reader_finds_the_author():
    _, content = compose(draft(author=NamedMailbox(ANN, "Äñn, of Sales")), SEED)

    section, _ = parse_header_section(content.octets)
    assert find_author(section) == ANN


def test_an_address_beyond_ascii_in_the_header_needs_smtputf8():
    mailbox = parse_mailbox("jörg@dest.test".encode(), allow_utf8=True)

    assert compose(draft(to=(NamedMailbox(mailbox),)), SEED)[0].needs_smtputf8
    assert not compose(draft(bcc=(NamedMailbox(mailbox),)), SEED)[0].needs_smtputf8


def test_further_headers_are_written_as_they_are():
    _, content = compose(draft(headers=(("List-Unsubscribe", "<https://x.test/u>"), ("X-A", "ü"))), SEED)

    assert b"List-Unsubscribe: <https://x.test/u>\r\n" in content.octets
    assert read(content)["X-A"] == "ü"


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "a\r\nBcc: x@y.test"},
        {"author": NamedMailbox(ANN, "a\nb")},
        {"to": (NamedMailbox(ANN, "a\rb"),)},
        {"headers": (("X-A", "a\r\n\r\nb"),)},
        {"headers": (("X-A\r\nBcc", "b"),)},
    ],
)
def test_nothing_is_written_of_a_draft_that_would_end_a_field(change):
    with pytest.raises(BuildError):
        compose(draft(**change), SEED)
