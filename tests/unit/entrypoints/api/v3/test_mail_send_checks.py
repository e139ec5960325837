"""Rules of the body of mail/send, as a table: what is changed in a good one, and which field is blamed with what."""

from datetime import UTC, datetime

import msgspec
import pytest

from gatepost.entrypoints.api.v3.mail_send_body import MailSend
from gatepost.entrypoints.api.v3.mail_send_checks import find_errors

NOW = datetime(2026, 11, 23, tzinfo=UTC)
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


def switched_on(section, name):
    return {section: {name: {"enable": True}}}


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
    "sent in the past": {"send_at": 1},
    "categories and arguments": {"categories": ["a", "b"], "custom_args": {"a": "b"}},
    "everything switched off": {
        "mail_settings": {"footer": {"enable": False}, "sandbox_mode": {"enable": True}, "spam_check": {}},
        "tracking_settings": {"click_tracking": {"enable": False}, "ganalytics": {"enable": False}},
    },
    "bypasses": switched_on("mail_settings", "bypass_list_management"),
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
    ("large arguments", {"custom_args": {"a": "x" * 10_000}}, "custom_args", "10,000 bytes"),
    (
        "large arguments together",
        {"custom_args": {"a": "x" * 6000}} | to(custom_args={"b": "x" * 6000}),
        "personalizations.0.custom_args",
        "10,000 bytes",
    ),
    ("many categories", {"categories": [str(number) for number in range(11)]}, "categories", "limit of 10"),
    ("category twice", {"categories": ["a", "a"]}, "categories", "unique"),
    ("long category", {"categories": ["a" * 256]}, "categories.0", "255"),
    ("category beyond ASCII", {"categories": ["ü"]}, "categories.0", "non-ASCII"),
    ("template", {"template_id": "d-1"}, "template_id", "not available"),
    ("data", to(dynamic_template_data={"a": 1}), "personalizations.0.dynamic_template_data", "not available"),
    ("sections", {"sections": {"a": "b"}}, "sections", "not available"),
    ("batch", {"batch_id": "x"}, "batch_id", "not available"),
    ("unsubscribe group", {"asm": {"group_id": 1}}, "asm", "not available"),
    ("pool", {"ip_pool_name": "x"}, "ip_pool_name", "not available"),
    ("sent later", {"send_at": int(NOW.timestamp()) + 1}, "send_at", "not available"),
    ("one sent later", to(send_at=int(NOW.timestamp()) + 1), "personalizations.0.send_at", "not available"),
    *[
        (f"{section}.{name}", switched_on(section, name), f"{section}.{name}.enable", "not available")
        for section, name in [
            ("mail_settings", "footer"),
            ("mail_settings", "bcc"),
            ("mail_settings", "spam_check"),
            ("tracking_settings", "click_tracking"),
            ("tracking_settings", "open_tracking"),
            ("tracking_settings", "subscription_tracking"),
            ("tracking_settings", "ganalytics"),
        ]
    ],
]  # fmt: skip


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD)
def test_what_can_be_sent_has_no_errors(change):
    assert find_errors(good(**change), NOW) == []


@pytest.mark.parametrize(("change", "field", "text"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_wrong_is_told_with_its_field(change, field, text):
    errors = find_errors(good(**change), NOW)

    assert [error.field for error in errors if text in error.message] == [field]


def test_all_that_is_wrong_is_told_at_once():
    errors = find_errors(MailSend(), NOW)

    assert [error.field for error in errors] == ["personalizations", "from.email", "content"]


def test_there_is_an_end_to_the_telling():
    assert len(find_errors(good(**to(to=[{"email": "x"}] * 1000)), NOW)) == 50
