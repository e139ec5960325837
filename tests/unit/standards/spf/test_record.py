from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.spf.record import (
    Mechanism,
    MechanismName,
    Qualifier,
    SPFRecord,
    SPFSyntaxError,
    is_spf_record,
    parse_spf_record,
)

DOMAINS = st.sampled_from(["example.com", "%{ir}.%{v}._spf.%{d2}", "_spf.example.org"])
QUALIFIERS = st.sampled_from(Qualifier)
MECHANISMS = st.one_of(
    st.builds(Mechanism, name=st.just(MechanismName.ALL), qualifier=QUALIFIERS),
    st.builds(
        Mechanism,
        name=st.sampled_from([MechanismName.INCLUDE, MechanismName.EXISTS, MechanismName.PTR]),
        qualifier=QUALIFIERS,
        domain_spec=DOMAINS,
    ),
    st.builds(
        Mechanism,
        name=st.sampled_from([MechanismName.A, MechanismName.MX]),
        qualifier=QUALIFIERS,
        domain_spec=DOMAINS | st.just(""),
        prefix4=st.integers(0, 32),
        prefix6=st.integers(0, 128),
    ),
    st.builds(
        Mechanism,
        name=st.just(MechanismName.IP4),
        qualifier=QUALIFIERS,
        network=st.builds(
            lambda address, prefix: IPv4Network((address, prefix), strict=False),
            st.integers(0, 2**32 - 1),
            st.integers(0, 32),
        ),
    ),
    st.builds(
        Mechanism,
        name=st.just(MechanismName.IP6),
        qualifier=QUALIFIERS,
        network=st.builds(
            lambda address, prefix: IPv6Network((address, prefix), strict=False),
            st.integers(0, 2**128 - 1),
            st.integers(0, 128),
        ),
    ),
)


@given(
    st.builds(
        SPFRecord,
        mechanisms=st.lists(MECHANISMS, max_size=5).map(tuple),
        redirect=DOMAINS | st.just(""),
        explanation=DOMAINS | st.just(""),
    )
)
def test_a_record_survives_being_printed_and_read(record):
    assert parse_spf_record(str(record).encode()) == record


def test_printed_form():
    text = b"V=SPF1 +A/24//64  IP4:192.0.2.0/24 ip4:192.0.2.9/32 -ALL unknown=%{d} exp=e.example.com"

    assert str(parse_spf_record(text)) == "v=spf1 a/24//64 ip4:192.0.2.0/24 ip4:192.0.2.9 -all exp=e.example.com"


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"v=spf1", True), (b"V=SPF1 -all", True), (b"v=spf10", False), (b"v=spf1;", False), (b" v=spf1", False)],
)
def test_which_texts_are_spf_records(text, expected):
    assert is_spf_record(text) is expected


@pytest.mark.parametrize(
    "term",
    [
        "all:example.com",
        "all/8",
        "al",
        "a:",
        "a:museum",
        "a:example.com/33",
        "a:example.com//129",
        "a:example.com/08",
        "a:example.com/",
        "a//x",
        "ax",
        "mx:/24",
        "include",
        "include:",
        "include:example.com/24",
        "include/24",
        "exists",
        "exists:example.com//64",
        "ptr:",
        "ptr/24",
        "ip4",
        "ip4:",
        "ip4:1.2.3",
        "ip4:1.2.3.256",
        "ip4:01.2.3.4",
        "ip4:1.2.3.4/33",
        "ip4:1.2.3.4//32",
        "ip4=1.2.3.4/%",
        "ip6:::1::",
        "ip6:1.2.3.4",
        "ip6:::1%eth0",
        "ip6:::/129",
        "redirect=",
        "redirect=a",
        "-redirect=example.com",
        "exp=%{c}.example.com",
        "redirect=a.example redirect=b.example",
        "exp=a.example exp=b.example",
        "unknown=%",
        "-",
        "%{d}",
        "=x",
        "a\tmx",
    ],
)
def test_a_malformed_term_anywhere_voids_the_record(term):
    with pytest.raises(SPFSyntaxError) as caught:
        parse_spf_record(b"v=spf1 -all " + term.encode())

    assert term.split(" ")[-1] in str(caught.value) or repr(term)[1:-1] in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(b"v=spf2 -all", "v=spf1", id="another version"),
        pytest.param("v=spf1 include:ö.example -all".encode(), "not ASCII", id="not ASCII"),
    ],
)
def test_other_refusals(text, complaint):
    with pytest.raises(SPFSyntaxError, match=complaint):
        parse_spf_record(text)


@given(st.text(alphabet="ampxiclude4:/%{}d.=~-?+ 1exprdt", max_size=40))
def test_garbage_is_refused_or_read_and_nothing_else(text):
    with suppress(SPFSyntaxError):
        assert str(parse_spf_record(b"v=spf1 " + text.encode()))
