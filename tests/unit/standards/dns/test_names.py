"""Host names: strict reading, comparison, the walk to the root."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.dns.names import HostNameError, ancestors, is_same, normalize, parse_host_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("example.com", "example.com", id="plain"),
        pytest.param("EXAMPLE.Com", "example.com", id="upper case folded"),
        pytest.param("localhost", "localhost", id="single label"),
        pytest.param("3com.4", None, id="numeric top level"),
        pytest.param("127.0.0.1", None, id="an IPv4 address is no name"),
        pytest.param("3com.com", "3com.com", id="label beginning with a digit"),
        pytest.param("a-b--c.example", "a-b--c.example", id="inner hyphens"),
        pytest.param("-a.example", None, id="hyphen first"),
        pytest.param("a-.example", None, id="hyphen last"),
        pytest.param("a_b.example", None, id="underscore"),
        pytest.param("example.com.", None, id="trailing dot"),
        pytest.param("a..example", None, id="empty label"),
        pytest.param(".example", None, id="leading dot"),
        pytest.param("", None, id="empty"),
        pytest.param("a" * 63 + ".example", "a" * 63 + ".example", id="label of 63"),
        pytest.param("a" * 64 + ".example", None, id="label of 64"),
        pytest.param(".".join(["a" * 49] * 5 + ["abc"]), ".".join(["a" * 49] * 5 + ["abc"]), id="name of 253"),
        pytest.param(".".join(["a" * 49] * 5 + ["abcd"]), None, id="name of 254"),
        pytest.param("bücher.example", "xn--bcher-kva.example", id="U-label"),
        pytest.param("XN--BCHER-KVA.example", "xn--bcher-kva.example", id="A-label, upper case"),
        pytest.param("faß.example", "xn--fa-hia.example", id="sharp s is itself under IDNA 2008"),
        pytest.param("пример.рф", "xn--e1afmkfd.xn--p1ai", id="internationalised top level"),
        pytest.param("BÜCHER.example", None, id="upper case beyond ASCII is not mapped"),
        pytest.param("ban\u212a.example", None, id="KELVIN SIGN is not folded to k"),
        pytest.param("a\u3002example", None, id="ideographic full stop is no dot"),
        pytest.param("a\uff0eexample", None, id="full-width full stop is no dot"),
        pytest.param("\uff45xample.com", None, id="full-width letter"),
        pytest.param("exa\u200bmple.com", None, id="zero width space"),
        pytest.param("exa\u00admple.com", None, id="soft hyphen"),
        pytest.param("bu\u0308cher.example", None, id="not NFC"),
        pytest.param("\u0308a.example", None, id="combining mark first"),
        pytest.param("☃.example", None, id="symbol"),
        pytest.param("xn--.example", None, id="A-label of nothing"),
        pytest.param("xn--a.example", None, id="A-label of a control"),
        pytest.param("xn--0049.example", None, id="A-label that does not round-trip"),
        pytest.param("xn---bbk.example", None, id="another spelling of an A-label"),
        pytest.param("xn--zn7c.com", None, id="A-label of a replacement character"),
        pytest.param("xn--example-.com", None, id="A-label of plain ASCII"),
        pytest.param("xn--bücher.com", None, id="A-label that is not ASCII"),
        pytest.param("xn--" + "9" * 40 + ".com", None, id="A-label that overflows"),
        pytest.param("exa mple.com", None, id="space"),
        pytest.param("example.com\n", None, id="newline at the end"),
    ],
)
def test_host_name_is_read_strictly_or_refused(text, name):
    if name is None:
        with pytest.raises(HostNameError):
            parse_host_name(text)
    else:
        assert parse_host_name(text) == name


@given(st.text())
def test_any_text_is_a_stable_name_or_refused(text):
    try:
        name = parse_host_name(text)
    except HostNameError:
        return

    assert name.isascii()
    assert parse_host_name(name) == name


def test_names_compare_without_case_and_trailing_dot():
    assert is_same("Example.COM.", "example.com")
    assert not is_same("example.com", "example.org")


def test_only_ascii_letters_are_folded_and_one_dot_is_dropped():
    assert normalize("_DMARC.Example.COM.") == "_dmarc.example.com"
    assert normalize("\u212a.example") == "\u212a.example"


@pytest.mark.parametrize(
    ("name", "above"),
    [
        pytest.param("a.b.example.com", ("b.example.com", "example.com", "com"), id="four labels"),
        pytest.param("example.com", ("com",), id="two labels"),
        pytest.param("com", (), id="top level"),
    ],
)
def test_ancestors_are_the_names_above_nearest_first(name, above):
    assert ancestors(name) == above
