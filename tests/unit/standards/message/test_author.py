"""The author: exactly one address that every reader would see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.address import Mailbox
from gatepost.standards.message.author import MAX_RESENT_FIELDS, AuthorError, find_author, find_resenders, find_sender
from gatepost.standards.message.header import HeaderError, parse_header_section

ALICE = Mailbox(local_part="alice", domain="example.com")

TAKEN = {
    "bare address": "alice@example.com",
    "angle brackets only": "<alice@example.com>",
    "one word": "Alice <alice@example.com>",
    "no space": "Alice<alice@example.com>",
    "several words": "Alice B Smith <alice@example.com>",
    "unquoted dots": "Alice B. Smith Jr. <alice@example.com>",
    "unquoted apostrophe": "Alice O'Hara <alice@example.com>",
    "unquoted ampersand, slash, plus": "R&D / QA + Ops! 100% <alice@example.com>",
    "quoted": '"Alice" <alice@example.com>',
    "quoted comma": '"Smith, Alice" <alice@example.com>',
    "quoted parentheses": '"Alice (Example Ltd)" <alice@example.com>',
    "quoted colon and semicolon": '"Example: Alice; Sales" <alice@example.com>',
    "quoted brackets": '"[Example] Alerts" <alice@example.com>',
    "quoted pair": '"Alice \\"Al\\" Smith \\\\" <alice@example.com>',
    "quoted empty": '"" <alice@example.com>',
    "quoted single quotes": "\"'Alice'\" <alice@example.com>",
    "two quoted strings": '"Alice" "Smith" <alice@example.com>',
    "quoted beside atoms": 'Dr. "Alice" Smith <alice@example.com>',
    "own address as the name": '"alice@example.com" <alice@example.com>',
    "own address, single quotes": "\"'alice@example.com'\" <alice@example.com>",
    "own address, other case": '"Alice@Example.COM" <alice@example.com>',
    "own address, quoted pair": '"alice\\@example.com" <alice@example.com>',
    "own address among words": '"Alice via alice@example.com (Support)" <alice@example.com>',
    "own address encoded": "=?utf-8?q?alice=40example=2Ecom?= <alice@example.com>",
    "encoded word, Q": "=?utf-8?q?Alice_M=C3=BCller?= <alice@example.com>",
    "encoded word, B": "=?utf-8?B?QWxpY2UgTcO8bGxlcg==?= <alice@example.com>",
    "encoded comma": "=?utf-8?q?M=C3=BCller=2C_Alice?= <alice@example.com>",
    "encoded quotes": "=?utf-8?q?=22Alice=22?= <alice@example.com>",
    "several encoded words": "=?utf-8?q?Alice?= =?utf-8?q?_M=C3=BCller?= <alice@example.com>",
    "encoded word beside atoms": "Alice =?iso-8859-1?q?M=FCller?= <alice@example.com>",
    "encoded word in quotes": '"=?utf-8?q?M=C3=BCller?=" <alice@example.com>',
    "encoded Japanese": "=?iso-2022-jp?b?GyRCOzNFREJATzobKEI=?= <alice@example.com>",
    "encoded emoji with joiners": "=?utf-8?b?8J+RqeKAjfCfkrs=?= Alice <alice@example.com>",
    "raw UTF-8": "Alice Müller <alice@example.com>",
    "raw UTF-8 quoted": '"Müller, Alice 👩‍💻" <alice@example.com>',
    "folded": "Alice\r\n <alice@example.com>",
    "folded at once": "\r\n Alice <alice@example.com>",
    "folded in quotes": '"Alice\r\n\tSmith" <alice@example.com>',
    "folded twice": "=?utf-8?q?Alice?=\r\n =?utf-8?q?Smith?=\r\n <alice@example.com>",
    "white space around": "  Alice  <alice@example.com> \t",
    "long display name": '"' + "Alice of the very long name " * 30 + '" <alice@example.com>',
    "upper-case domain": "Alice <alice@EXAMPLE.COM>",
}

REFUSED = {
    "empty": "",
    "white space": "  ",
    "no address": "Alice",
    "empty angle brackets": "Alice <>",
    "two addresses": "alice@example.com, bob@victim.example",
    "two addresses, no space": "alice@example.com,ceo@victim.example",
    "two name-addrs": "Alice <alice@example.com>, CEO <ceo@victim.example>",
    "two name-addrs, no comma": "CEO <ceo@victim.example> <alice@example.com>",
    "two angle brackets, reversed": "<alice@example.com> <ceo@victim.example>",
    "address before the brackets": "ceo@victim.example <alice@example.com>",
    "own address before the brackets, not quoted": "alice@example.com <alice@example.com>",
    "address behind the brackets": "<alice@example.com> ceo@victim.example",
    "word behind the brackets": "<alice@example.com> Alice",
    "comma first": ",alice@example.com",
    "comma last": "alice@example.com,",
    "comma last, with brackets": "Alice <alice@example.com>,",
    "semicolon list": "alice@example.com; ceo@victim.example",
    "group": "Team: alice@example.com;",
    "empty group": "undisclosed-recipients:;",
    "group with brackets": "Team: Alice <alice@example.com>",
    "route": "<@victim.example:alice@example.com>",
    "routes": "<@victim.example,@b.example:alice@example.com>",
    "comment behind": "alice@example.com (Alice)",
    "comment in front": "(ceo@victim.example) alice@example.com",
    "comment in the name": "Alice (ceo@victim.example) <alice@example.com>",
    "comment in the brackets": "<alice@example.com(ceo@victim.example)>",
    "comment between": "alice(x)@example.com",
    "comment behind the brackets": "Alice <alice@example.com> (ceo@victim.example)",
    "unfinished comment": "(Alice <alice@example.com>",
    "unfinished quote": '"Alice <alice@example.com>',
    "quote ended too early": '"Alice" x" <alice@example.com>',
    "quoted quote swallows": '"Alice\\" <ceo@victim.example>, "x" <alice@example.com>',
    "nested brackets": "<<alice@example.com>>",
    "bracket in front": "<ceo@victim.example<alice@example.com>",
    "unclosed bracket": "Alice <alice@example.com",
    "closing bracket only": "Alice alice@example.com>",
    "brackets in quotes": '"<ceo@victim.example>" <alice@example.com>',
    "address and brackets in quotes": '"CEO <ceo@victim.example>" <alice@example.com>',
    "own address and brackets in quotes": '"Alice <alice@example.com>" <alice@example.com>',
    "other address in quotes": '"ceo@victim.example" <alice@example.com>',
    "other address beside the own": '"alice@example.com ceo@victim.example" <alice@example.com>',
    "other address touching the own": '"ceo@victim.example/alice@example.com" <alice@example.com>',
    "own address within a longer one": '"alice@example.com.victim.example" <alice@example.com>',
    "obsolete white space round the @": '"ceo @ victim.example" <alice@example.com>',
    "other address, quoted pair": '"ceo\\@victim.example" <alice@example.com>',
    "other address, full-width @": '"ceo\uff20victim.example" <alice@example.com>',
    "other address, small @": "ceo\ufe6bvictim.example <alice@example.com>",
    "brackets, full-width": '"\uff1cceo\uff1e" <alice@example.com>',
    "other address encoded, Q": "=?utf-8?q?ceo=40victim=2Eexample?= <alice@example.com>",
    "other address encoded, B": "=?utf-8?b?Y2VvQHZpY3RpbS5leGFtcGxl?= <alice@example.com>",
    "other address encoded, in quotes": '"=?utf-8?q?ceo=40victim=2Eexample?=" <alice@example.com>',
    "other address encoded, cut in two": "=?utf-8?q?ceo=40?= =?utf-8?q?victim=2Eexample?= <alice@example.com>",
    "other address encoded, inside a word": "ceo=?utf-8?q?=40?=victim.example <alice@example.com>",
    "other address encoded, full-width @": "=?utf-8?b?Y2Vv77ygdmljdGltLmV4YW1wbGU=?= <alice@example.com>",
    "other address encoded, behind a quoted pair": '"=\\?utf-8?q?ceo=40victim.example?=" <alice@example.com>',
    "@ that is Japanese once decoded": '"=?iso-2022-jp?q?=1B$B@!=1B(B?=" <alice@example.com>',
    "brackets that are Japanese once decoded": '"=?iso-2022-jp?q?=1B$B<!=1B(B?=" <alice@example.com>',
    "brackets encoded": "=?utf-8?q?=3Cceo=3E?= <alice@example.com>",
    "CRLF encoded": "=?utf-8?q?Alice=0D=0AFrom=3A_x?= <alice@example.com>",
    "NUL encoded": "=?utf-8?b?QQBC?= <alice@example.com>",
    "next line encoded": "=?utf-8?q?A=C2=85B?= <alice@example.com>",
    "right-to-left override encoded": "=?utf-8?b?4oCuZWNpbEE=?= <alice@example.com>",
    "right-to-left override": "\u202eecilA <alice@example.com>",
    "encoded word, UTF-7": "=?utf-7?q?ceo+AEA-victim.example?= <alice@example.com>",
    "encoded word, unknown charset": "=?x-unknown?q?Alice?= <alice@example.com>",
    "encoded word, broken": "=?utf-8?b?%%%?= <alice@example.com>",
    "encoded word, unfinished": "=?utf-8?q?Alice <alice@example.com>",
    "encoded word encoded": "=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3F=3D?= <alice@example.com>",
    "encoded word instead of an address": "=?utf-8?q?alice=40example=2Ecom?=",
    "encoded word in the local part": "<=?utf-8?q?alice?=@example.com>",
    "encoded word hides brackets": "=?utf-8?q?=3Cceo=40victim=2Eexample=3E?= <alice@example.com>",
    "white space in the brackets": "Alice < alice@example.com >",
    "white space before the @": "Alice <alice @example.com>",
    "fold in the brackets": "Alice <alice@\r\n example.com>",
    "fold in a bare address": "alice@\r\n example.com",
    "quoted local part": '"alice"@example.com',
    "quoted local part in brackets": '<"ceo@victim.example "@example.com>',
    "percent hack": "<ceo%victim.example@example.com>",
    "bang path": "<victim.example!ceo@example.com>",
    "two @": "<ceo@victim.example@example.com>",
    "trailing dot": "<alice@example.com.>",
    "full-width @ in the address": "<alice\uff20example.com>",
    "unquoted brackets": "[Alerts] <alice@example.com>",
    "unquoted colon": "Alerts: <alice@example.com>",
    "unquoted comma": "Smith, Alice <alice@example.com>",
    "unquoted backslash": "Alice \\<ceo@victim.example\\> <alice@example.com>",
    "too long": '"' + "A" * 2100 + '" <alice@example.com>',
}


def parse(field: str):
    return parse_header_section(field.encode() + b"\r\n")[0]


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN)
def test_honest_author_is_found(body):
    assert find_author(parse("From: " + body)) == ALICE


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_author_that_some_reader_sees_differently_is_refused(body):
    with pytest.raises(AuthorError, match="From field"):
        find_author(parse("From: " + body))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        pytest.param("To: alice@example.com", "no From field: add", id="none"),
        pytest.param("From: alice@example.com\r\nFrom: alice@example.com", "2 From fields: leave one", id="two"),
        pytest.param("From: alice@example.com\r\nX: y\r\nfROM: b@example.com", "2 From fields", id="two, other case"),
    ],
)
def test_exactly_one_from_field_is_asked_for(header, message):
    with pytest.raises(AuthorError, match=message):
        find_author(parse(header))


def test_internationalized_author_is_found_with_its_a_label():
    author = find_author(parse("From: Jörg <jörg@bücher.example>"))

    assert author == Mailbox(local_part="jörg", domain="xn--bcher-kva.example")


def test_internationalized_author_may_show_its_address_as_it_is_written():
    assert find_author(parse('From: "jörg@bücher.example" <jörg@bücher.example>')).local_part == "jörg"


def test_sender_is_read_by_the_same_grammar():
    assert find_sender(parse("Sender: Alice <alice@example.com>")) == ALICE
    assert find_sender(parse("From: alice@example.com")) is None
    with pytest.raises(AuthorError, match="Sender field"):
        find_sender(parse("Sender: alice@example.com, bob@example.com"))
    with pytest.raises(AuthorError, match="2 Sender fields"):
        find_sender(parse("Sender: alice@example.com\r\nSender: alice@example.com"))


def test_all_resenders_are_found():
    section = parse("Resent-From: alice@example.com\r\nResent-Sender: b@example.com\r\nResent-From: c@example.com")

    assert [str(mailbox) for mailbox in find_resenders(section)] == [
        "alice@example.com",
        "c@example.com",
        "b@example.com",
    ]


def test_number_of_resent_fields_has_a_limit():
    field = "Resent-From: alice@example.com\r\n"

    assert len(find_resenders(parse(field * (MAX_RESENT_FIELDS - 1) + "Resent-Sender: a@example.com"))) == 20
    with pytest.raises(AuthorError, match="more than 20"):
        find_resenders(parse(field * MAX_RESENT_FIELDS + "Resent-Sender: a@example.com"))


def test_resent_field_with_two_addresses_is_refused():
    with pytest.raises(AuthorError, match="Resent-From field"):
        find_resenders(parse("Resent-From: alice@example.com, bob@example.com"))


@given(
    st.lists(
        st.sampled_from(
            [
                "alice@example.com",
                "ceo@victim.example",
                "<",
                ">",
                '"',
                "\\",
                ",",
                " ",
                "\r\n ",
                "(",
                ")",
                ":",
                ";",
                "Al",
                "@",
            ]
        ),
        max_size=12,
    )
)
def test_domain_of_the_author_is_the_visible_last_one_and_no_other_stands_there(pieces):
    text = "From: " + "".join(pieces)
    try:
        author = find_author(parse(text))
    except (AuthorError, HeaderError):
        return

    visible = [piece.split(">")[0].split('"')[0].split(" ")[0].strip() for piece in text.lower().split("@")[1:]]
    assert visible[-1] == author.domain
    assert not any(("victim.example" in piece) != ("victim.example" in author.domain) for piece in visible)
