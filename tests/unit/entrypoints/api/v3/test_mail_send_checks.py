"""Rules of the body of mail/send, as a table: what is changed in a good one, and which field is blamed with what."""

import msgspec
import pytest

from gatepost.entrypoints.api.v3.mail_send_body import MailSend
from gatepost.entrypoints.api.v3.mail_send_checks import find_message_errors

TO = [{"email": "bob@dest.test"}]
TEXT = {"type": "text/plain", "value": "Hello"}
HTML = {"type": "text/html", "value": "<p>Hello"}
ABSENT = object()


def good(**change):
    members = {
        "personalizations": [{"to": TO}],
        "from": {"email": "ann@example.test"},
        "subject": "Hi",
        "content": [TEXT],
    }
    members |= {name.replace("from_", "from"): value for name, value in change.items()}
    return msgspec.convert({name: value for name, value in members.items() if value is not ABSENT}, MailSend)


def to(**change):
    return {"personalizations": [{"to": TO} | change]}


def attached(**change):
    whole = {"content": "aGk=", "filename": "a.txt"} | change
    return {"attachments": [{name: value for name, value in whole.items() if value is not ABSENT}]}


GOOD = {
    "plain": {},
    "every list": to(cc=[{"email": "c@d.test"}], bcc=[{"email": "e@f.test", "name": 'Größe, "x" <y>'}]),
    "subject of its own": {"subject": ABSENT} | to(subject="Own"),
    "from of its own": to(**{"from": {"email": "other@EXAMPLE.test"}}),
    "reply to": {"reply_to": {"email": "r@x.test", "name": "R"}},
    "reply to several": {"reply_to_list": [{"email": "r@x.test"}, {"email": "s@x.test"}]},
    "all kinds of text": {"content": [TEXT, HTML, {"type": "text/calendar", "value": "BEGIN"}]},
    "attachment": attached(type="application/pdf", disposition="attachment", content_id="x"),
    "headers": {"headers": {"X-A": "ü", "List-Unsubscribe": "<https://x.test>"}},
    "sections": {"sections": {"-s-": "x"}},
    "subject and content of a template": {"subject": ABSENT, "content": ABSENT, "template_id": "d-1"},
    "empty remains of a library": {"sections": {}, "template_id": "", "attachments": [], "reply_to_list": []},
}

BAD = [
    ("no personalizations", {"personalizations": ABSENT}, "personalizations", "must have at least one personalization"),
    ("empty personalizations", {"personalizations": []}, "personalizations", "must have at least one personalization"),
    ("many personalizations", {"personalizations": [{"to": TO}] * 1001}, "personalizations", "limited to 1000"),
    (
        "many recipients",
        to(to=[{"email": f"u{number}@dest.test"} for number in range(1001)]),
        "personalizations",
        "limit of 1000 total recipients",
    ),
    ("no to", {"personalizations": [{}]}, "personalizations.0.to", "The to array is required"),
    ("empty to", to(to=[]), "personalizations.0.to", "The to array is required"),
    ("no address", to(to=[{"name": "x"}]), "personalizations.0.to.0.email", "Does not contain a valid address."),
    ("bad address", to(cc=[{"email": "a@b@c"}]), "personalizations.0.cc.0.email", "Does not contain a valid address."),
    ("two addresses", to(to=[{"email": "a@b.test, c@d.test"}]), "personalizations.0.to.0.email", "valid address"),
    ("address with CRLF", to(to=[{"email": "a@b.test\r\nX: y"}]), "personalizations.0.to.0.email", "valid address"),
    ("long address", to(bcc=[{"email": "a" * 321}]), "personalizations.0.bcc.0.email", "length of 320 characters"),
    ("name with CRLF", to(to=[{"email": "a@b.test", "name": "x\r\ny"}]), "personalizations.0.to.0.name", "line ends"),
    (
        "the same twice",
        to(bcc=[{"email": "BOB@dest.test"}]),
        "personalizations.0",
        "We found the first duplicate instance of [BOB@dest.test] in the personalizations.0.bcc field.",
    ),
    ("no from", {"from_": ABSENT}, "from.email", "The from object must be provided"),
    ("from without address", {"from_": {"name": "x"}}, "from.email", "The from object must be provided"),
    ("bad from", {"from_": {"email": "x"}}, "from.email", "The from email does not contain a valid address."),
    ("from elsewhere", to(**{"from": {"email": "a@b.test"}}), "personalizations.0.from", "must have the domain"),
    ("bad from of its own", to(**{"from": {"email": "x"}}), "personalizations.0.from.email", "valid address"),
    ("bad reply to", {"reply_to": {"email": "x"}}, "reply_to.email", "reply_to email does not contain"),
    (
        "both ways to reply",
        {"reply_to": {"email": "a@b.test"}, "reply_to_list": [{"email": "c@d.test"}]},
        "reply_to_list",
        "not both",
    ),
    ("reply twice", {"reply_to_list": [{"email": "a@b.test"}] * 2}, "reply_to_list", "unique"),
    ("bad address to reply", {"reply_to_list": [{"email": "x"}]}, "reply_to_list.0.email", "valid address"),
    (
        "many to reply",
        {"reply_to_list": [{"email": f"u{number}@dest.test"} for number in range(1001)]},
        "reply_to_list",
        "limit of 1000",
    ),
    ("no subject", {"subject": ABSENT}, "subject", "The subject is required."),
    ("empty subject", {"subject": ""}, "subject", "at least one character"),
    ("empty subject of its own", to(subject=""), "personalizations.0.subject", "at least one character"),
    ("no content", {"content": ABSENT}, "content", "the content parameter is required"),
    ("empty content", {"content": []}, "content", "the content parameter is required"),
    ("no type", {"content": [{"value": "x"}]}, "content.0.type", "content type must be a string"),
    ("no value", {"content": [{"type": "text/plain"}]}, "content.0.value", "at least one character"),
    ("type with parameters", {"content": [TEXT | {"type": "text/plain; a=b"}]}, "content.0.type", "';'"),
    ("type with CRLF", {"content": [TEXT | {"type": "text/plain\r\nX: y"}]}, "content.0.type", "CRLF"),
    ("type of no text", {"content": [TEXT | {"type": "multipart/mixed"}]}, "content.0.type", "a text type"),
    ("plain twice", {"content": [TEXT, TEXT]}, "content", "may only be provided once"),
    ("wrong order", {"content": [HTML, TEXT]}, "content", "text/plain needs to be first"),
    ("attachment without content", attached(content=ABSENT), "attachments.0.content", "is required"),
    ("attachment not base64", attached(content="?"), "attachments.0.content", "must be base64 encoded"),
    ("attachment without name", attached(filename=ABSENT), "attachments.0.filename", "filename is required."),
    ("attachment's name with CRLF", attached(filename="a\r\nb"), "attachments.0.filename", "CRLF"),
    ("attachment's type", attached(type="text/plain;x"), "attachments.0.type", "';'"),
    ("attachment of parts", attached(type="message/rfc822"), "attachments.0.type", "application/octet-stream"),
    ("disposition", attached(disposition="x"), "attachments.0.disposition", "'inline' or 'attachment'"),
    ("content id", attached(content_id="a>\r\nX: y"), "attachments.0.content_id", "CRLF"),
    ("header twice", {"headers": {"X-A": "1", "x-a": "2"}}, "headers", "duplicate keys"),
    ("header's name", {"headers": {"X A": "1"}}, "headers", "empty spaces"),
    ("header's name with CRLF", to(headers={"X\r\nBcc": "1"}), "personalizations.0.headers", "empty spaces"),
    ("header's value", {"headers": {"X-A": "1\r\nBcc: x@y.test"}}, "headers", "line ends"),
    *[
        (f"reserved {name}", {"headers": {name: "x"}}, f"headers.{name}", "reserved keys")
        for name in ["To", "FROM", "bcc", "Received", "DKIM-Signature", "Content-Type", "content-foo", "MIME-Version"]
    ],
    ("empty tag", to(substitutions={"": "x"}), "personalizations.0.substitutions", "at least one character"),
    (
        "many tags",
        to(substitutions={str(number): "" for number in range(10_001)}),
        "personalizations.0.substitutions",
        "limited to 10,000",
    ),
    (
        "large substitutions",
        to(substitutions={"-a-": "x" * 10_000}),
        "personalizations.0.substitutions",
        "10,000 bytes",
    ),
    ("empty section", {"sections": {"": "x"}}, "sections", "at least one character"),
]  # fmt: skip


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD)
def test_what_can_be_sent_has_no_errors(change):
    assert list(find_message_errors(good(**change))) == []


@pytest.mark.parametrize(("change", "field", "text"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_wrong_is_told_with_its_field(change, field, text):
    errors = list(find_message_errors(good(**change)))

    assert [error.field for error in errors if text in error.message] == [field]


def test_all_that_is_wrong_is_told_at_once():
    errors = list(find_message_errors(MailSend()))

    assert [error.field for error in errors] == ["personalizations", "from.email", "content"]
