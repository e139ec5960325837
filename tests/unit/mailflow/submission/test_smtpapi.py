import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mailflow.options import SendingOptions
from gatepost.mailflow.submission.mailing import Mailing
from gatepost.mailflow.submission.smtpapi import NO_INSTRUCTIONS, BadInstructions, Instructions, read_smtpapi
from gatepost.mailflow.submission.substitution import Footer
from gatepost.standards.address import Mailbox
from gatepost.standards.message.header import parse_header_section
from gatepost.standards.message.header_build import NamedMailbox

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATER = int(NOW.timestamp()) + 3600


def read(*bodies):
    fields = b"".join(b"X-SMTPAPI: " + body + b"\r\n" for body in bodies)
    section, _ = parse_header_section(b"From: a@example.com\r\n" + fields + b"\r\n")
    return read_smtpapi(section, NOW)


def ask(**members):
    return read(json.dumps(members).encode())


@pytest.mark.parametrize("bodies", [[], [b""], [b"{}"], [b"{\r\n }"], [b"{}", b""]], ids=repr)
def test_a_field_that_says_nothing_asks_for_nothing(bodies):
    assert read(*bodies) == NO_INSTRUCTIONS


@pytest.mark.parametrize(
    ("members", "options"),
    [
        ({"category": "news"}, SendingOptions(categories=("news",), is_single_category=True)),
        ({"category": ["a", "b", "a"]}, SendingOptions(categories=("a", "b"))),
        ({"unique_args": {"a": "1", "n": 2.5}}, SendingOptions(custom_args=(("a", "1"), ("n", "2.5")))),
        ({"send_at": LATER}, SendingOptions(send_at=NOW + timedelta(hours=1))),
        ({"batch_id": "x"}, SendingOptions(batch_id="x")),
        ({"filters": {"bypass_list_management": {"settings": {"enable": 1}}}}, SendingOptions(bypasses=("list",))),
        (
            {"filters": {"clicktrack": {"settings": {"enable": 0}}}},
            SendingOptions(tracking='{"click_tracking":{"enable":0}}'),
        ),
        ({"filters": {"footer": {"settings": {"enable": 0}}, "bcc": {"settings": {"enable": 1}}}}, None),
        ({"to": [], "sub": {}, "section": {}, "ip_pool": "", "send_at": 1}, None),
    ],
    ids=lambda value: None if not isinstance(value, dict) else ",".join(value),
)
def test_what_can_be_done_becomes_options(members, options):
    assert ask(**members) == Instructions(options=options)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"to": "x@y.test"}, "to must be a list"),
        ({"to": ["x@y.test", "nobody"]}, "to holds 'nobody', which is no address"),
        ({"to": ["Ann <a@y.test"]}, "to holds 'Ann <a@y.test', which is no address"),
        ({"to": ["x@y.test"] * 1001}, "to holds 1001 recipients"),
        ({"sub": {"-a-": "b"}}, "sub must be an object of lists"),
        ({"sub": {"-a-": [["b"]]}}, "sub must hold texts"),
        ({"sub": {"-a b-": ["b"]}}, "no white space"),
        ({"sub": {"": ["b"]}}, "one character at least"),
        ({"sub": {"-a-": ["", "x" * 6000], "-b-": ["", "x" * 6000]}}, "more than 10000 octets for one recipient"),
        ({"section": ["b"]}, "section must be an object"),
        ({"section": {"-a-": None}}, "section must hold texts"),
        ({"section": {"-a-": "x" * 100_001}}, "section holds more than"),
        ({"send_each_at": 1}, "send_each_at must be a list"),
        ({"send_each_at": ["1"]}, "send_each_at must be a Unix timestamp"),
        ({"send_each_at": [LATER + 72 * 3600]}, "send_each_at lies more than 72 hours"),
        ({"send_at": LATER, "send_each_at": [LATER]}, "exclude each other"),
        ({"asm_group_id": 1}, "no unsubscribe groups"),
        ({"ip_pool": "x"}, "no IP pools"),
        ({"unheard_of": 1}, "'unheard_of' is not done here: leave it out"),
        ({"category": 1}, "a text, or a list"),
        ({"category": ["x"] * 11}, "more than 10"),
        ({"category": "ü"}, "printable ASCII"),
        ({"category": "a\r\nb"}, "printable ASCII"),
        ({"unique_args": []}, "an object of texts"),
        ({"unique_args": {"a": ["b"]}}, "an object of texts"),
        ({"unique_args": {"a": "x" * 10_000}}, "longer than 10000"),
        ({"send_at": "1"}, "as an integer"),
        ({"send_at": True}, "as an integer"),
        ({"send_at": LATER + 72 * 3600}, "72 hours"),
        ({"batch_id": 1}, "must be a text"),
        ({"filters": []}, "must be an object"),
        ({"filters": {"clicktrack": 1}}, "with settings"),
        ({"filters": {"footer": {"settings": {"enable": 1, "text/html": 1}}}}, "the filter 'footer' must hold"),
        ({"filters": {"template": {"settings": {"enable": 1}}}}, "the filter 'template' is not done here"),
        ({"filters": {"dkim": {"settings": {"enable": 1}}}}, "the filter 'dkim' is not done here"),
        ({"filters": {"opentrack": {"settings": {"x": "y" * 10_000}}}}, "longer than 10000"),
    ],
    ids=lambda value: None if not isinstance(value, dict) else ",".join(value),
)
def test_what_cannot_be_done_is_refused_by_name(members, text):
    with pytest.raises(BadInstructions, match=text):
        ask(**members)


@pytest.mark.parametrize("body", [b"x", b"[]", b"1", b"{" + b" " * 240_000 + b"x", b"[" * 900, b'""'], ids=len)
def test_what_is_no_json_object_is_refused(body):
    with pytest.raises(BadInstructions):
        read(body)


def test_what_makes_several_messages_becomes_a_mailing():
    instructions = ask(
        to=["a@x.test", " Bob <b@y.test>", '"Cid, \\"C\\"" <c@z.test>'],
        sub={"-n-": ["A", 2, 2.5]},
        section={"-s-": "text"},
        send_each_at=[LATER, 1, LATER],
        filters={"footer": {"settings": {"enable": 1, "text/plain": "p", "text/html": "h"}}},
        category="news",
    )

    assert instructions.options == SendingOptions(categories=("news",), is_single_category=True)
    assert instructions.mailing == Mailing(
        to=(
            NamedMailbox(Mailbox(local_part="a", domain="x.test")),
            NamedMailbox(Mailbox(local_part="b", domain="y.test"), "Bob"),
            NamedMailbox(Mailbox(local_part="c", domain="z.test"), 'Cid, "C"'),
        ),
        values=(("-n-", ("A", "2", "2.5")),),
        sections=(("-s-", "text"),),
        send_each_at=(NOW + timedelta(hours=1), None, NOW + timedelta(hours=1)),
        footer=Footer(plain="p", html="h"),
    )


def test_two_that_ask_for_something_are_refused():
    with pytest.raises(BadInstructions, match="several"):
        read(b'{"category": "a"}', b'{"category": "b"}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["to", "sub", "section", "send_each_at", "category", "unique_args", "send_at", "batch_id", "filters", "ip_pool"]
)


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_whatever_it_holds_it_is_options_or_refused(members):
    try:
        instructions = ask(**members)
    except BadInstructions:
        return
    assert isinstance(instructions, Instructions)
