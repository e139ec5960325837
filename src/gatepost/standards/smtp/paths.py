"""The paths of MAIL and RCPT (RFC 5321 §4.1.2): what stands between the verb and the parameters."""

import re
from typing import Final

from gatepost.standards.address import AddressError, Mailbox, parse_mailbox
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.status_codes import NEEDS_SMTPUTF8, RECIPIENT_SYNTAX, SENDER_SYNTAX, with_detail

_QUOTED_PATH: Final = re.compile(rb'<((?:"(?:[^"\\]|\\.)*"|[^"<>])*)>')
"""A path that holds a quoted-string, in which ``>`` and spaces may stand."""


def split_path(argument: bytes, keyword: bytes, syntax_error: Reply) -> tuple[bytes, bytes]:
    """Split ``FROM:<path> parameters`` into path and parameters.

    White space after the colon and a path without angle brackets are taken, as the dialect does (Deviation: RFC 5321
    §4.1.1.2 allows neither). Whatever follows the closing bracket must be set off by a space, or two readers could
    disagree where the path ends.

    Args:
        argument: What follows the verb.
        keyword: ``FROM:`` or ``TO:``.
        syntax_error: The reply if it cannot be split.

    Raises:
        ProtocolViolation: ``syntax_error``.
    """
    if argument[: len(keyword)].upper() != keyword:
        raise ProtocolViolation(syntax_error)
    text = argument[len(keyword) :].lstrip(b" ")
    if not text.startswith(b"<"):
        path, _, parameters = text.partition(b" ")
        if not path:
            raise ProtocolViolation(syntax_error)
        return path, parameters
    if b'"' in text:
        quoted = _QUOTED_PATH.match(text)
        end = quoted.end() if quoted else 0
    else:
        end = text.find(b">") + 1
    path, parameters = text[1 : end - 1], text[end:]
    if not end or (parameters and not parameters.startswith(b" ")):
        raise ProtocolViolation(syntax_error)
    return path, parameters


def parse_reverse_path(path: bytes, *, allow_utf8: bool) -> Mailbox | None:
    """Read the path of MAIL; None is the null reverse-path (RFC 5321 §4.5.5).

    Raises:
        ProtocolViolation: 501 5.1.7; 553 5.6.7 if it needs SMTPUTF8 and ``allow_utf8`` is false.
    """
    return _parse(path, SENDER_SYNTAX, allow_utf8=allow_utf8) if path else None


def parse_forward_path(path: bytes, *, allow_utf8: bool) -> Mailbox:
    """Read the path of RCPT.

    Deviation: RFC 5321 §4.1.1.3 lets ``<Postmaster>`` stand without a domain; there is no local one here to mean.

    Raises:
        ProtocolViolation: 501 5.1.3; 553 5.6.7 if it needs SMTPUTF8 and ``allow_utf8`` is false.
    """
    return _parse(path, RECIPIENT_SYNTAX, allow_utf8=allow_utf8)


def _parse(path: bytes, syntax_error: Reply, *, allow_utf8: bool) -> Mailbox:
    if not allow_utf8 and not path.isascii():
        raise ProtocolViolation(NEEDS_SMTPUTF8)
    if path.startswith(b"@"):
        # RFC 5321 §4.1.1.3 would have the route dropped; refused, because only attacks still write one.
        raise ProtocolViolation(with_detail(syntax_error, "source routes are not taken"))
    try:
        return parse_mailbox(path, allow_utf8=allow_utf8)
    except AddressError as error:
        raise ProtocolViolation(with_detail(syntax_error, str(error))) from error
