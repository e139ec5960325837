"""The parameters of MAIL (RFC 5321 §4.1.1.11): SIZE, BODY, SMTPUTF8, AUTH. RCPT has none."""

import re
from dataclasses import dataclass
from typing import Final

from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.events import BodyType
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.status_codes import PARAMETER_SYNTAX, UNKNOWN_PARAMETER, with_detail

_PARAMETER: Final = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")
_XTEXT: Final = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_BODY_TYPES: Final = {body.value.encode(): body for body in BodyType}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParameters:
    """What MAIL says beside the reverse-path; ``body`` is None where nothing was said.

    AUTH= is read and dropped: we vouch for nobody (RFC 4954 §5).
    """

    size_octets: int | None = None
    body: BodyType | None = None
    smtputf8: bool = False


def parse_mail_parameters(text: bytes, *, takes_auth: bool) -> MailParameters:
    """Read what follows the reverse-path.

    Args:
        text: The parameters, separated by spaces.
        takes_auth: Whether AUTH is offered on this listener, and with it the parameter AUTH.

    Raises:
        ProtocolViolation: 501 5.5.4 for a malformed or repeated one, 555 5.5.4 for one we did not offer.
    """
    values = _split(text)
    size = _pop_size(values)
    body = _pop_body(values)
    smtputf8 = _pop_flag(values, b"SMTPUTF8")
    if takes_auth:
        _pop_auth(values)
    if values:
        raise _refused(UNKNOWN_PARAMETER, next(iter(values)))
    return MailParameters(size_octets=size, body=body, smtputf8=smtputf8)


def parse_rcpt_parameters(text: bytes) -> None:
    """Refuse whatever follows the forward-path: no extension that adds to RCPT is offered.

    Raises:
        ProtocolViolation: 501 5.5.4 or 555 5.5.4.
    """
    for keyword in _split(text):
        raise _refused(UNKNOWN_PARAMETER, keyword)


def _split(text: bytes) -> dict[bytes, bytes | None]:
    values: dict[bytes, bytes | None] = {}
    for word in filter(None, text.split(b" ")):
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None:
            raise _refused(PARAMETER_SYNTAX, word)
        keyword = parameter[1].upper()
        if keyword in values:
            raise _refused(PARAMETER_SYNTAX, keyword + b" is given twice")
        values[keyword] = parameter[2]
    return values


def _pop_size(values: dict[bytes, bytes | None]) -> int | None:
    """SIZE=1*20DIGIT (RFC 1870 §5)."""
    if b"SIZE" not in values:
        return None
    digits = values.pop(b"SIZE")
    if digits is None or not digits.isdigit() or len(digits) > 20:
        raise _refused(PARAMETER_SYNTAX, b"SIZE is a number of octets")
    return int(digits)


def _pop_body(values: dict[bytes, bytes | None]) -> BodyType | None:
    """BODY=7BIT or BODY=8BITMIME (RFC 6152 §2); BINARYMIME would need CHUNKING."""
    if b"BODY" not in values:
        return None
    body = _BODY_TYPES.get((values.pop(b"BODY") or b"").upper())
    if body is None:
        raise _refused(PARAMETER_SYNTAX, b"BODY is 7BIT or 8BITMIME")
    return body


def _pop_flag(values: dict[bytes, bytes | None], keyword: bytes) -> bool:
    if keyword not in values:
        return False
    if values.pop(keyword) is not None:
        raise _refused(PARAMETER_SYNTAX, keyword + b" takes no value")
    return True


def _pop_auth(values: dict[bytes, bytes | None]) -> None:
    """AUTH=xtext or AUTH=<> (RFC 4954 §5)."""
    if b"AUTH" not in values:
        return
    identity = values.pop(b"AUTH") or b""
    if identity != b"<>" and not _XTEXT.fullmatch(identity):
        raise _refused(PARAMETER_SYNTAX, b"AUTH is <> or an address as xtext")


def _refused(reply: Reply, detail: bytes) -> ProtocolViolation:
    return ProtocolViolation(with_detail(reply, detail.decode("latin-1")))
