"""Rules of what mail/send may ask for beside the messages, as a table: change in a good body, and what is blamed."""

from datetime import UTC, datetime

import msgspec
import pytest

from gatepost.entrypoints.api.v3.mail_send_body import MailSend
from gatepost.entrypoints.api.v3.mail_send_option_checks import MAX_ERRORS, Circumstances, find_errors

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATEST = int(NOW.timestamp()) + 72 * 3600
TO = [{"email": "bob@dest.test"}]
PLACE = Circumstances(now=NOW, is_batch=lambda batch: batch == "mine")


def body(**change):
    members = {
        "personalizations": [{"to": TO}],
        "from": {"email": "ann@example.test"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    }
    return msgspec.convert(members | change, MailSend)


def to(**change):
    return {"personalizations": [{"to": TO} | change]}


def settings(**change):
    return {"mail_settings": change}


ON, OFF = {"enable": True}, {"enable": False}

GOOD = {
    "nothing": {},
    "sent in the past": {"send_at": -(1 << 70)},
    "sent at the latest": {"send_at": LATEST} | to(send_at=LATEST),
    "categories and arguments": {"categories": ["a", "b"], "custom_args": {"a": "b"}},
    "ten categories of 255": {"categories": [f"{number:0255}" for number in range(10)]},
    "arguments of 10,000": {"custom_args": {"a": "x" * 9_999}},
    "everything switched off": settings(footer=OFF, sandbox_mode=ON, spam_check={})
    | {"tracking_settings": {"click_tracking": OFF, "ganalytics": OFF}},
    "everything tracked": {
        "tracking_settings": {
            "click_tracking": ON | {"enable_text": False},
            "open_tracking": ON | {"substitution_tag": "%o%"},
            "subscription_tracking": ON | {"text": "t", "html": "<%h%>", "substitution_tag": "<%s%>"},
            "ganalytics": ON | {"utm_source": "a", "utm_medium": "b", "utm_term": "c", "utm_campaign": "d"},
        }
    },
    "bypass of all": settings(bypass_list_management=ON, bypass_spam_management=OFF),
    "finer bypasses": settings(
        bypass_spam_management=ON, bypass_bounce_management=ON, bypass_unsubscribe_management=ON
    ),
    "retired settings": settings(
        bcc=ON | {"email": "x@y.test"}, spam_check=ON | {"threshold": 10, "post_to_url": "http://example.com"}
    ),
    "a batch": {"batch_id": "mine"},
    "empty remains of a library": {"batch_id": "", "ip_pool_name": "", "template_id": "", "categories": []}
    | to(dynamic_template_data={}),
}

BAD = [
    ("large arguments", {"custom_args": {"a": "x" * 10_000}}, "custom_args", "10,000 bytes"),
    (
        "large arguments together",
        {"custom_args": {"a": "x" * 6000}} | to(custom_args={"b": "x" * 6000}),
        "personalizations.0.custom_args",
        "10,000 bytes",
    ),
    ("many categories", {"categories": [str(number) for number in range(11)]}, "categories", "You provided 11"),
    ("category twice", {"categories": ["a", "a"]}, "categories.1", "you have included [a] more than once"),
    ("long category", {"categories": ["a" * 256]}, "categories.0", "255"),
    ("category beyond ASCII", {"categories": ["ü"]}, "categories.0", "non-ASCII"),
    ("category with CRLF", {"categories": ["a\r\nb"]}, "categories.0", "control characters"),
    ("empty category", {"categories": [""]}, "categories.0", "at least one character"),
    ("malformed template", {"template_id": "x"}, "template_id", "must be a valid GUID, you provided 'x'."),
    ("unknown template", {"template_id": "d-" + "0" * 32}, "template_id", "valid template id for your account"),
    ("data", to(dynamic_template_data={"a": 1}), "personalizations.0.dynamic_template_data", "only be used with"),
    ("another's batch", {"batch_id": "theirs"}, "batch_id", "invalid batch id"),
    ("no group", {"asm": {}}, "asm.group_id", "must be an integer"),
    ("unknown group", {"asm": {"group_id": 7}}, "asm.group_id", "You provided [7]."),
    (
        "many groups",
        {"asm": {"group_id": 7, "groups_to_display": [*range(26)]}},
        "asm.groups_to_display",
        "limit of 25",
    ),
    ("unknown pool", {"ip_pool_name": "pool"}, "ip_pool_name", "You provided [pool]."),
    ("sent too late", {"send_at": LATEST + 1}, "send_at", "more than 72 hours"),
    ("sent beyond all time", {"send_at": 1 << 70}, "send_at", "more than 72 hours"),
    ("one sent too late", to(send_at=LATEST + 1), "personalizations.0.send_at", "more than 72 hours"),
    (
        "bypasses together",
        settings(bypass_list_management=ON, bypass_spam_management=ON),
        "mail_settings.bypass_list_management",
        "cannot be combined",
    ),
    (
        "threshold",
        settings(spam_check=ON | {"threshold": 11}),
        "mail_settings.spam_check.threshold",
        "between 1 and 10",
    ),
    (
        "where to post",
        settings(spam_check=ON | {"post_to_url": "ftp://x"}),
        "mail_settings.spam_check.post_to_url",
        "must start with",
    ),
    (
        "much to track",
        {"tracking_settings": {"subscription_tracking": {"html": "x" * 10_000}}},
        "tracking_settings",
        "10,000 bytes",
    ),
]


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD)
def test_what_can_be_done_has_no_errors(change):
    assert find_errors(body(**change), PLACE) == []


@pytest.mark.parametrize(("change", "field", "text"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_cannot_be_done_is_told_with_its_field(change, field, text):
    errors = find_errors(body(**change), PLACE)

    assert [error.field for error in errors if text in error.message] == [field]


def test_all_that_is_wrong_with_messages_and_options_is_told_at_once():
    errors = find_errors(msgspec.convert({"asm": {"group_id": 1}, "send_at": LATEST + 1}, MailSend), PLACE)

    assert [error.field for error in errors] == [
        "personalizations", "from.email", "content", "asm.group_id", "send_at",
    ]  # fmt: skip


def test_there_is_an_end_to_the_telling():
    assert len(find_errors(body(**to(to=[{"email": "x"}] * 1000)), PLACE)) == MAX_ERRORS
