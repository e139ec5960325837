from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.entrypoints.api.v3.mail_send_body import MailSend
from gatepost.entrypoints.api.v3.mail_send_drafts import Substitution, write_drafts, write_options


def body(**members):
    whole = {
        "personalizations": [{"to": [{"email": "bob@dest.test"}]}],
        "from": {"email": "ann@example.test", "name": "Ann"},
        "subject": "Hi -name-",
        "content": [{"type": "text/plain", "value": "Hello -name-"}],
    } | members
    return msgspec.convert(whole, MailSend)


def test_each_personalization_makes_a_draft_with_what_is_its_own():
    first, second = write_drafts(
        body(
            personalizations=[
                {"to": [{"email": "bob@dest.test", "name": "Bob"}], "substitutions": {"-name-": "Bob"}},
                {
                    "to": [{"email": "eve@dest.test"}],
                    "cc": [{"email": "c@dest.test"}],
                    "bcc": [{"email": "d@dest.test"}],
                    "subject": "Own",
                    "from": {"email": "news@example.test"},
                    "headers": {"x-a": "2"},
                },
            ],
            headers={"X-A": "1", "X-B": "1"},
            reply_to={"email": "r@example.test"},
        )
    )

    assert (first.subject, second.subject) == ("Hi Bob", "Own")
    assert (str(first.author.mailbox), str(second.author.mailbox)) == ("ann@example.test", "news@example.test")
    assert first.texts[0].body == b"Hello Bob"
    assert second.texts[0].body == b"Hello -name-"
    assert (first.to[0].name, str(first.to[0].mailbox)) == ("Bob", "bob@dest.test")
    assert [str(each.mailbox) for each in (*second.cc, *second.bcc)] == ["c@dest.test", "d@dest.test"]
    assert first.headers == (("X-A", "1"), ("X-B", "1"))
    assert second.headers == (("X-B", "1"), ("x-a", "2"))
    assert str(first.reply_to[0].mailbox) == "r@example.test"


def test_a_list_of_addresses_to_reply_to():
    (draft,) = write_drafts(body(reply_to_list=[{"email": "a@b.test"}, {"email": "c@d.test"}]))

    assert [str(each.mailbox) for each in draft.reply_to] == ["a@b.test", "c@d.test"]


def test_attachments_are_told_apart_from_what_is_shown_within_the_text():
    (draft,) = write_drafts(
        body(
            attachments=[
                {"content": "aGk=", "filename": "a.txt"},
                {
                    "content": "aGk=",
                    "filename": "b.png",
                    "type": "image/png",
                    "disposition": "inline",
                    "content_id": "b",
                },
            ]
        )
    )

    assert b"application/octet-stream" in draft.attachments[0].fields
    assert b"Content-ID: <b>" in draft.inline[0].fields


@pytest.mark.parametrize(
    ("values", "text", "expected"),
    [
        ({}, "a -b-", "a -b-"),
        ({"-b-": "x"}, "-b--b-", "xx"),
        ({"-n-": "1", "-n--x": "2"}, "-n--x", "2"),
        ({"-a-": "-b-", "-b-": "c"}, "-a-", "-b-"),
        ({".": "x"}, "a.b", "axb"),
        ({"a": "\\1\\g<0>"}, "a", "\\1\\g<0>"),
    ],
)
def test_tags_are_replaced_in_one_pass(values, text, expected):
    assert Substitution(values)(text) == expected


def test_sections_stand_in_the_values_of_substitutions_and_are_searched_once():
    (draft,) = write_drafts(
        body(
            personalizations=[{"to": [{"email": "bob@dest.test"}], "substitutions": {"-name-": "Bob -s-"}}],
            sections={"-s-": "-name- -s-"},
        )
    )

    assert draft.subject == "Hi Bob -name- -s-"


@pytest.mark.parametrize(
    ("media_type", "text", "expected"),
    [
        ("text/plain", "Hello", b"Hello\r\nbelow"),
        ("text/html", "<p>Hello", b"<p>Hello<hr>"),
        ("text/html", "<BODY></BODY></html>", b"<BODY><hr></BODY></html>"),
        ("text/html", "a</body>b</Body >", b"a</body>b<hr></Body >"),
        ("text/calendar", "BEGIN", b"BEGIN"),
    ],
    ids=["plain", "HTML without end", "HTML with end", "HTML with two ends", "other"],
)
def test_a_footer_is_put_below_the_text_in_its_form(media_type, text, expected):
    settings = {"footer": {"enable": True, "text": "below", "html": "<hr>"}}

    (draft,) = write_drafts(body(content=[{"type": media_type, "value": text}], mail_settings=settings))

    assert draft.texts[0].body == expected


def test_a_footer_that_is_switched_off_is_not_there():
    settings = {"footer": {"enable": False, "text": "below"}}

    (draft,) = write_drafts(body(mail_settings=settings))

    assert draft.texts[0].body == b"Hello -name-"


NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATER = int(NOW.timestamp()) + 60


def test_a_message_without_options_has_none():
    assert list(write_options(body(tracking_settings={}, send_at=1), NOW)) == [None]


def test_options_are_those_of_all_and_those_of_its_own():
    first, second = write_options(
        body(
            personalizations=[
                {"to": [{"email": "bob@dest.test"}], "custom_args": {"a": "own", "c": "3"}, "send_at": LATER + 60},
                {"to": [{"email": "eve@dest.test"}], "send_at": 1},
            ],
            custom_args={"a": "1", "b": "2"},
            categories=["x", "y"],
            send_at=LATER,
            batch_id="batch",
            mail_settings={"bypass_spam_management": {"enable": True}, "bypass_bounce_management": {"enable": True}},
            tracking_settings={"open_tracking": {"enable": True, "substitution_tag": "%open%"}},
        ),
        NOW,
    )

    assert dict(first.custom_args) == {"a": "own", "b": "2", "c": "3"}
    assert dict(second.custom_args) == {"a": "1", "b": "2"}
    assert first.categories == second.categories == ("x", "y")
    assert (first.send_at, second.send_at) == (datetime.fromtimestamp(LATER + 60, UTC), None)
    assert (first.batch_id, first.bypasses) == ("batch", ("spam", "bounce"))
    assert first.tracking == '{"open_tracking":{"enable":true,"substitution_tag":"%open%"}}'


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.text(max_size=3), max_size=5), st.text(max_size=20))
def test_whatever_the_tags_nothing_is_raised_and_text_without_them_stays(values, text):
    result = Substitution(values)(text)

    if not any(tag in text for tag in values):
        assert result == text
