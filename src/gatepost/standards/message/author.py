"""The author of a message: the one mailbox of its From field, and those of Sender and the Resent fields.

The grammar is narrower than RFC 5322 §3.4: one mailbox, no group, no comment, no route, no obsolete form, and a
display name that no reader, however careless, can take for another address. RFC 7489 §6.6.1 lets
each receiver do as it likes with several authors; from here no such message leaves.
"""

import re
import unicodedata

from gatepost.standards.address import AddressError, Mailbox, parse_mailbox
from gatepost.standards.message.encoded_words import EncodedWordError, decode_all
from gatepost.standards.message.header import HeaderField, HeaderSection

#: Beyond this, receivers have been seen to cut fields, each at another place.
MAX_FIELD_OCTETS = 2048
#: The owner of each is asked for; nobody resends a message this often.
MAX_RESENT_FIELDS = 20

# A phrase: atoms (with the dots of "John Q. Public", obsolete but everywhere) and quoted strings.
_NAME_ADDR = re.compile(
    r"((?:[A-Za-z0-9!#$%&'*+./=?^_`{|}~\x80-\U0010ffff \t-]++|\"(?:[^\"\\]|\\[\t -~])*\")*)<([^<>]*+)>"
)
_QUOTED_PAIR = re.compile(r"\\(.)")
_QUOTED_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
#: At what a careless reader would cut a text before it looks for an address in a piece.
_SEPARATORS = re.compile(r"[\s\"()\[\],;:\\]+")
#: Brackets, controls, line separators, and what shows text in another order than it stands in (UAX #9 embeddings,
#: overrides and isolates).
_FORBIDDEN = re.compile("[<>\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class AuthorError(ValueError):
    """There is not exactly one author whom every reader would see; the message says where, why and how to mend it."""


def find_author(section: HeaderSection) -> Mailbox:
    """Return the one mailbox of the one From field.

    Raises:
        AuthorError: No From field, several, or one that does not hold exactly one address by our grammar.
    """
    author = _find_single(section, b"from", "From")
    if author is None:
        raise AuthorError("there is no From field: add one that holds the author's address")
    return author


def find_sender(section: HeaderSection) -> Mailbox | None:
    """Return the mailbox of the Sender field, if there is one.

    Raises:
        AuthorError: Several Sender fields, or one that does not hold exactly one address by our grammar.
    """
    return _find_single(section, b"sender", "Sender")


def find_resenders(section: HeaderSection) -> tuple[Mailbox, ...]:
    """Return the mailboxes of all Resent-From and Resent-Sender fields; a message may have been resent repeatedly.

    Raises:
        AuthorError: One of them does not hold exactly one address by our grammar, or there are more than
            ``MAX_RESENT_FIELDS``.
    """
    fields = [*section.find_all(b"resent-from"), *section.find_all(b"resent-sender")]
    if len(fields) > MAX_RESENT_FIELDS:
        raise AuthorError(f"there are more than {MAX_RESENT_FIELDS} Resent-From and Resent-Sender fields: remove some")
    return tuple([_read_mailbox(field, field.name.decode("ascii").title()) for field in fields])


def _find_single(section: HeaderSection, name: bytes, label: str) -> Mailbox | None:
    fields = section.find_all(name)
    if len(fields) > 1:
        raise AuthorError(f"there are {len(fields)} {label} fields: leave one")
    return _read_mailbox(fields[0], label) if fields else None


def _read_mailbox(field: HeaderField, label: str) -> Mailbox:
    if len(field.octets) > MAX_FIELD_OCTETS:
        raise AuthorError(f"the {label} field is longer than {MAX_FIELD_OCTETS} octets: shorten the display name")
    body = field.body.decode("utf-8")
    if not body.endswith(">"):
        return _read_address(body, label)
    name_addr = _NAME_ADDR.fullmatch(body)
    if name_addr is None:
        raise AuthorError(
            f'the {label} field is not of the form "Name" <address>: put the display name in double quotes, without'
            " comments, groups or a second address"
        )
    display_name, address = name_addr.groups()
    mailbox = _read_address(address, label)
    if display_name:
        _check_display_name(display_name, mailbox, address, label)
    return mailbox


def _read_address(text: str, label: str) -> Mailbox:
    try:
        # Whether UTF-8 was declared is asked of the whole header section, not of each address.
        return parse_mailbox(text.encode("utf-8"), allow_utf8=True)
    except AddressError as error:
        raise AuthorError(f"the {label} field does not hold exactly one plain address: {error}") from error


def _check_display_name(display_name: str, mailbox: Mailbox, address: str, label: str) -> None:
    """Refuse a display name in which some reader could find another address than the one behind it.

    ``"alice@example.com" <alice@example.com>`` is common and honest; ``"ceo@victim.example" <x@example.com>`` is the
    commonest spoof there is, and a reader that decodes before it parses may even answer to the wrong one. So an
    ``@`` may stand only in the author's own address, and angle brackets nowhere: neither in the text as it stands,
    nor in what it says once all that looks encoded is decoded, nor after compatibility mapping (full-width ``@``).
    """
    text = _QUOTED_STRING.sub(lambda quoted: _QUOTED_PAIR.sub(r"\1", quoted[1]), display_name)
    try:
        readings = {unicodedata.normalize("NFKC", reading) for reading in (text, decode_all(text))}
    except EncodedWordError as error:
        raise AuthorError(f"the display name in the {label} field cannot be read: {error}") from error
    own = {str(mailbox).casefold(), address.casefold()}
    for reading in readings:
        if _FORBIDDEN.search(reading):
            raise AuthorError(
                f"the display name in the {label} field holds an angle bracket, a control character or one that turns"
                " the direction of text: leave it out"
            )
        if "@" in reading and not all(
            piece.strip("'") in own for piece in _SEPARATORS.split(reading.casefold()) if "@" in piece
        ):
            raise AuthorError(
                f"the display name in the {label} field holds an @ that is not part of the address behind it: leave"
                " it out, or write that same address"
            )
