"""Addresses: what is taken, what is refused, and that no other domain than the visible last one is ever yielded."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatepost.standards.address import AddressError, Mailbox, NeedsSMTPUTF8, parse_domain, parse_mailbox
from gatepost.standards.dns.names import parse_host_name

TAKEN = {
    "plain": ("alice@example.com", "alice", "example.com"),
    "dots": ("a.b.c@example.com", "a.b.c", "example.com"),
    "one letter each": ("a@b.co", "a", "b.co"),
    "plus tag": ("alice+tag@example.com", "alice+tag", "example.com"),
    "all of our atext": ("?=#$&'*+-/^_`{|}~@example.com", "?=#$&'*+-/^_`{|}~", "example.com"),
    "apostrophe": ("o'brien@example.com", "o'brien", "example.com"),
    "digits only": ("12345@example.com", "12345", "example.com"),
    "hyphen first": ("-a@example.com", "-a", "example.com"),
    "VERP": ("bounce+bob=example.org@em.example.com", "bounce+bob=example.org", "em.example.com"),
    "SRS": ("SRS0=aB3d=TT=example.org=bob@example.com", "SRS0=aB3d=TT=example.org=bob", "example.com"),
    "BATV": ("prvs=0123abcdef=bob@example.com", "prvs=0123abcdef=bob", "example.com"),
    "local part keeps its case": ("Alice.B@example.com", "Alice.B", "example.com"),
    "domain is folded": ("alice@EXAMPLE.Com", "alice", "example.com"),
    "single label": ("root@localhost", "root", "localhost"),
    "top level with digits": ("a@example.a1", "a", "example.a1"),
    "local part of 64": ("a" * 64 + "@example.com", "a" * 64, "example.com"),
    "label of 63": ("a@" + "b" * 63 + ".com", "a", "b" * 63 + ".com"),
    "254 octets": (
        "a" * 64 + "@" + ".".join(["b" * 60] * 3 + ["c" * 6]),
        "a" * 64,
        ".".join(["b" * 60] * 3 + ["c" * 6]),
    ),
    "A-label": ("a@xn--bcher-kva.example", "a", "xn--bcher-kva.example"),
    "A-label, upper case": ("a@XN--BCHER-KVA.example", "a", "xn--bcher-kva.example"),
    "quoted, dot at the end": ('"taro."@docomo.ne.jp', "taro.", "docomo.ne.jp"),
    "quoted, two dots": ('"taro..y"@docomo.ne.jp', "taro..y", "docomo.ne.jp"),
    "quoted, dot first": ('".taro"@docomo.ne.jp', ".taro", "docomo.ne.jp"),
    "IPv4 literal": ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
    "IPv6 literal": ("a@[IPv6:2001:DB8::1]", "a", "[IPv6:2001:db8::1]"),
    "IPv6 literal, tag in lower case": ("a@[ipv6:2001:db8:0::1]", "a", "[IPv6:2001:db8::1]"),
    "looks like UTF-7, is ASCII": ("a+AEA-b@example.com", "a+AEA-b", "example.com"),
}

TAKEN_UTF8 = {
    "local part": ("jörg@example.com", "jörg", "example.com"),
    "domain": ("alice@bücher.example", "alice", "xn--bcher-kva.example"),
    "both": ("用户@例子.广告", "用户", "xn--fsqu00a.xn--4rr70v"),
    "Thai with marks": ("ผู้ใช้@example.com", "ผู้ใช้", "example.com"),
    "mixed with ASCII": ("jörg+tag.x@example.com", "jörg+tag.x", "example.com"),
    "Arabic-Indic digits": ("١٢@example.com", "١٢", "example.com"),
}

# Written in the classes of "Splitting the email atom" (encoded words, unicode overflow, punycode tricks, routes,
# comments) and of the isemail collection (white space, controls, quotes, literals, lengths, dots).
REFUSED = {
    "empty": "",
    "no @": "alice",
    "no local part": "@example.com",
    "no domain": "alice@",
    "only @": "@",
    "two @": "alice@victim.example@example.com",
    "two @ in a row": "alice@@example.com",
    "source route": "@relay.example:alice@example.com",
    "source routes": "@a.example,@b.example:alice@example.com",
    "percent hack": "alice%victim.example@example.com",
    "percent hack, null": "alice%00@example.com",
    "bang path": "victim.example!alice@example.com",
    "angle brackets": "<alice@example.com>",
    "angle bracket inside": "alice@example.com>",
    "second address": "alice@example.com,bob@example.com",
    "encoded word, Q": "=?utf-8?q?alice=40victim.example=3e=20?=@example.com",
    "encoded word, B": "=?utf-8?b?YWxpY2VAdmljdGltLmV4YW1wbGU+?=@example.com",
    "encoded word, charset x": "=?x?q?alice=40victim.example=3e=00?=foo@example.com",
    "encoded word, UTF-7": "=?utf-7?q?alice&AEA-victim.example&ACA-?=@example.com",
    "encoded word, latin1": "=?iso-8859-1?q?=61=62=63?=@example.com",
    "encoded word in the middle": "a=?utf-8?q?b?=c@example.com",
    "encoded word quoted": '"=?utf-8?q?a=40b?="@example.com',
    "encoded word, dotted and quoted": '"=?utf-8?q?a?=."@example.com',
    "encoded word in the domain": "alice@=?utf-8?q?victim?=.example",
    "only the mark of an encoded word": "a=?b@example.com",
    "quoted though not needed": '"alice"@example.com',
    "quoted space": '"alice smith"@example.com',
    "quoted @": '"alice@victim.example"@example.com',
    "quoted route": '"@victim.example:alice"@example.com',
    "quoted pair": '"alice\\"x"@example.com',
    "quoted pair at the end": '"alice\\"@victim.example"@example.com',
    "quoted empty": '""@example.com',
    "quoted newline": '"a\r\nb"@example.com',
    "quoted bang": '"victim.example!alice."@example.com',
    "quoted percent": '"alice%victim.example."@example.com',
    "quote inside": 'al"ice@example.com',
    "two quoted strings": '"a."."b."@example.com',
    "quoted and more": '"a."b@example.com',
    "a lone quote": '"@example.com',
    "unfinished quote": '"alice@example.com',
    "comment": "alice(comment)@example.com",
    "comment first": "(comment)alice@example.com",
    "comment in the domain": "alice@(comment)example.com",
    "comment last": "alice@example.com(victim.example)",
    "comment hides an @": "alice@victim.example(@example.com",
    "backslash": "al\\ice@example.com",
    "space": "al ice@example.com",
    "space before": " alice@example.com",
    "space after": "alice@example.com ",
    "space around @": "alice @ example.com",
    "tab": "alice\t@example.com",
    "newline": "alice@example.com\n",
    "CRLF and a command": "alice@example.com>\r\nRCPT TO:<bob@victim.example",
    "NUL": "alice\x00@example.com",
    "NUL in the domain": "alice@example.com\x00.victim.example",
    "DEL": "alice\x7f@example.com",
    "vertical tab": "alice\x0b@example.com",
    "dot first": ".alice@example.com",
    "dot last": "alice.@example.com",
    "two dots": "al..ice@example.com",
    "domain: trailing dot": "alice@example.com.",
    "domain: leading dot": "alice@.example.com",
    "domain: two dots": "alice@example..com",
    "domain: hyphen first": "alice@-example.com",
    "domain: hyphen last": "alice@example-.com",
    "domain: underscore": "alice@exa_mple.com",
    "domain: numeric top level": "alice@example.123",
    "domain: bare IPv4 address": "alice@192.0.2.1",
    "domain: port": "alice@example.com:25",
    "domain: path": "alice@example.com/x",
    "domain: parameter": "alice@example.com;x",
    "domain: label of 64": "alice@" + "b" * 64 + ".com",
    "local part of 65": "a" * 65 + "@example.com",
    "255 octets": "a" * 64 + "@" + ".".join(["b" * 60] * 3 + ["c" * 7]),
    "punycode: nothing behind xn--": "alice@xn--.com",
    "punycode: decodes to a control": "alice@xn--a.com",
    "punycode: decodes to ASCII": "alice@xn--example-.com",
    "punycode: not minimal": "alice@xn--0049.com",
    "punycode: another spelling": "alice@xn---bbk.com",
    "punycode: replacement character": "alice@xn--zn7c.com",
    "punycode: under another label": "alice@sub.xn--zn7c.com",
    "punycode: top level": "alice@example.xn--a",
    "literal: unclosed": "alice@[192.0.2.1",
    "literal: empty": "alice@[]",
    "literal: bracket only": "alice@[",
    "literal: too large": "alice@[192.0.2.256]",
    "literal: leading zero": "alice@[192.0.2.01]",
    "literal: IPv6 without tag": "alice@[2001:db8::1]",
    "literal: zone index": "alice@[IPv6:fe80::1%eth0]",
    "literal: general": "alice@[x400:abc]",
    "literal: a name": "alice@[example.com]",
    "literal: text behind": "alice@[192.0.2.1].example.com",
}

REFUSED_UTF8 = {
    "overflow: U+0140 is an @ when cut to 8 bits, and not NFKC": "alice\u0140victim.example@example.com",
    "full-width @": "alice\uff20victim.example@example.com",
    "small commercial at": "alice\ufe6bvictim.example@example.com",
    "full-width @ only": "alice\uff20example.com",
    "full-width full stop in the local part": "al\uff0eice@example.com",
    "full-width letters": "\uff41lice@example.com",
    "ligature": "o\ufb03ce@example.com",
    "not NFC": "jo\u0308rg@example.com",
    "combining mark first": "\u0308a@example.com",
    "combining mark after a dot": "a.\u0308b@example.com",
    "symbol": "☃@example.com",
    "symbol with @ inside": "a✉@example.com",
    "no-break space": "al\u00a0ice@example.com",
    "zero width space": "al\u200bice@example.com",
    "right-to-left override": "\u202eecila@example.com",
    "line separator": "al\u2028ice@example.com",
    "next line": "al\u0085ice@example.com",
    "byte order mark": "\ufeffalice@example.com",
    "private use": "al\ue000ice@example.com",
    "tag character": "al\U000e0041ice@example.com",
    "percent beside letters": "jörg%victim.example@example.com",
    "space beside letters": "jö rg@example.com",
    "ideographic full stop in the domain": "alice@victim\u3002example.com",
    "full-width full stop in the domain": "alice@victim\uff0eexample.com",
    "full-width letters in the domain": "alice@\uff45xample.com",
    "upper case in the domain": "alice@BÜCHER.example",
    "KELVIN SIGN in the domain": "alice@ban\u212a.example",
    "soft hyphen in the domain": "alice@exa\u00admple.com",
    "fraction slash in the domain": "alice@example.com\u2044.victim.example",
    "account-of sign": "alice@\u2100.example",
    "local part of more than 64 octets": "ö" * 33 + "@example.com",
    "longer than 254 once in A-labels": "a" * 60 + "@" + "ö1" * 14 + ".example." + ".".join(["bücher1234567890"] * 7),
}


@pytest.mark.parametrize(("text", "local_part", "domain"), TAKEN.values(), ids=TAKEN)
def test_address_is_taken(text, local_part, domain):
    mailbox = parse_mailbox(text.encode(), allow_utf8=False)

    assert mailbox == Mailbox(local_part=local_part, domain=domain)


@pytest.mark.parametrize(("text", "local_part", "domain"), TAKEN_UTF8.values(), ids=TAKEN_UTF8)
def test_address_beyond_ascii_is_taken_with_smtputf8_only(text, local_part, domain):
    mailbox = parse_mailbox(text.encode(), allow_utf8=True)

    assert mailbox == Mailbox(local_part=local_part, domain=domain)
    with pytest.raises(NeedsSMTPUTF8):
        parse_mailbox(text.encode(), allow_utf8=False)


@pytest.mark.parametrize("text", (REFUSED | REFUSED_UTF8).values(), ids=REFUSED | REFUSED_UTF8)
@pytest.mark.parametrize("allow_utf8", [False, True], ids=["ascii", "utf8"])
def test_address_that_could_be_read_in_two_ways_is_refused(text, allow_utf8):
    with pytest.raises(AddressError) as refusal:
        parse_mailbox(text.encode(), allow_utf8=allow_utf8)

    assert not isinstance(refusal.value, NeedsSMTPUTF8)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"al\xffice@example.com", id="stray octet"),
        pytest.param(b"al\xc0\x80ice@example.com", id="overlong NUL"),
        pytest.param(b"al\xc1\x80victim@example.com", id="overlong @"),
        pytest.param(b"al\xed\xa0\x80@example.com", id="surrogate"),
        pytest.param(b"alice@ex\xe9mple.com", id="latin1 in the domain"),
    ],
)
def test_octets_that_are_not_utf8_are_refused(octets):
    with pytest.raises(AddressError, match="UTF-8"):
        parse_mailbox(octets, allow_utf8=True)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("a%b@example.com", "%", id="percent"),
        pytest.param("a!b@example.com", "!", id="bang"),
        pytest.param("a@b@example.com", "second @", id="second at"),
        pytest.param("a(b)@example.com", "comment", id="comment"),
        pytest.param("a..b@example.com", "two in a row", id="dots"),
        pytest.param("a" * 65 + "@example.com", "64", id="length"),
        pytest.param("@a:b@example.com", "route", id="route"),
        pytest.param("a:b@example.com", "holds :", id="another special"),
    ],
)
def test_message_says_what_to_mend(text, hint):
    with pytest.raises(AddressError, match=hint):
        parse_mailbox(text.encode(), allow_utf8=False)


@pytest.mark.parametrize(
    ("text", "serialized"),
    [
        pytest.param("Alice@EXAMPLE.com", b"Alice@example.com", id="plain"),
        pytest.param('"taro."@docomo.ne.jp', b'"taro."@docomo.ne.jp', id="quoted where needed"),
        pytest.param("jörg@bücher.example", "jörg@xn--bcher-kva.example".encode(), id="A-label in the domain"),
    ],
)
def test_mailbox_serializes_to_what_parses_to_it(text, serialized):
    mailbox = parse_mailbox(text.encode(), allow_utf8=True)

    assert mailbox.octets == serialized
    assert parse_mailbox(serialized, allow_utf8=True) == mailbox


def test_only_a_local_part_beyond_ascii_needs_smtputf8():
    assert parse_mailbox("jörg@example.com".encode(), allow_utf8=True).needs_smtputf8
    assert not parse_mailbox("alice@bücher.example".encode(), allow_utf8=True).needs_smtputf8


def test_address_literal_is_told_from_a_name():
    assert parse_mailbox(b"a@[192.0.2.1]", allow_utf8=False).is_address_literal
    assert not parse_mailbox(b"a@example.com", allow_utf8=False).is_address_literal


@pytest.mark.parametrize("text", ["Example.COM", b"Example.COM"], ids=["text", "octets"])
def test_domain_is_read_from_text_or_octets(text):
    assert parse_domain(text) == "example.com"


@pytest.mark.parametrize(
    ("text", "allow_utf8", "error"),
    [
        pytest.param("bücher.example", False, NeedsSMTPUTF8, id="U-label without leave"),
        pytest.param("exa mple.com", True, AddressError, id="space"),
        pytest.param("[192.0.2.1]", True, AddressError, id="literal"),
        pytest.param(b"\xff.example", True, AddressError, id="not UTF-8"),
    ],
)
def test_what_is_no_domain_is_refused(text, allow_utf8, error):
    with pytest.raises(error):
        parse_domain(text, allow_utf8=allow_utf8)


TRICKY = st.text(
    alphabet=st.sampled_from(
        "ab.-@%!\"'()<>[]:;,\\ \t\r\n\x00=?_+0129xnXN&öß\u0140\uff20\u3002\uff0e\u200b\u0308\u212a"
    ),
    max_size=24,
)
ATOM = st.text(alphabet="abcXYZ019#$&'*+-/=^_`{|}~", min_size=1, max_size=10)
LABEL = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9]{0,8}[a-zA-Z0-9])?", fullmatch=True)
TOP_LEVEL = st.from_regex(r"[a-zA-Z]{1,8}", fullmatch=True)


@given(st.lists(ATOM, min_size=1, max_size=4), st.lists(LABEL, max_size=3), TOP_LEVEL)
def test_dot_atoms_round_trip(atoms, labels, top_level):
    text = ".".join(atoms) + "@" + ".".join([*labels, top_level])

    mailbox = parse_mailbox(text.encode(), allow_utf8=False)

    assert mailbox.local_part == ".".join(atoms)
    assert mailbox.domain == ".".join([*labels, top_level]).lower()
    assert parse_mailbox(mailbox.octets, allow_utf8=False) == mailbox


@given(
    st.one_of(
        st.builds("{}@{}".format, TRICKY, TRICKY),
        st.builds("{}@{}.com".format, TRICKY, TRICKY),
        st.builds("{}@example.com".format, st.text(max_size=20)),
        st.builds("alice@{}".format, st.text(max_size=20)),
        st.builds("{}@xn--{}.com".format, ATOM, st.text(alphabet="abc019-", max_size=12)),
    )
)
@example("=?x?q?a=40b.com=3e?=@example.com")
def test_domain_is_always_the_visible_last_one(text):
    octets = text.encode("utf-8", "surrogatepass")
    try:
        mailbox = parse_mailbox(octets, allow_utf8=True)
    except AddressError:
        return

    visible = text.rpartition("@")[2]
    if not mailbox.is_address_literal:
        assert mailbox.domain == parse_host_name(visible)
    assert text.count("@") == 1
    assert mailbox.local_part == text.rpartition("@")[0].strip('"')
    assert mailbox.octets.rpartition(b"@")[2].decode("ascii") == mailbox.domain


@given(st.binary(max_size=300), st.booleans())
def test_garbage_is_refused_and_nothing_else(octets, allow_utf8):
    try:
        mailbox = parse_mailbox(octets, allow_utf8=allow_utf8)
    except AddressError:
        return

    assert parse_mailbox(mailbox.octets, allow_utf8=True) == mailbox
