"""One line of a client, read as a command: RFC 5321 §4.1.1 with the commands of RFC 3207 and RFC 4954."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.status_codes import (
    AUTH_LINE_TOO_LONG,
    LINE_TOO_LONG,
    NO_BDAT,
    NOT_SMTP,
    UNKNOWN_COMMAND,
)


class Verb(StrEnum):
    """The commands the session knows; a StrEnum because its members hash at the speed of C."""

    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    RSET = "RSET"
    NOOP = "NOOP"
    QUIT = "QUIT"
    VRFY = "VRFY"
    EXPN = "EXPN"
    HELP = "HELP"


@dataclass(frozen=True, slots=True)
class Command:
    """A command and what follows it, without the white space around."""

    verb: Verb
    argument: bytes


MAX_COMMAND_OCTETS: Final = 512
"""RFC 5321 §4.5.3.1.4, with CRLF."""

MAX_LINE_OCTETS: Final = 12_288
"""The longest line of all, an AUTH exchange's (RFC 4954 §4), with CRLF."""

LINE_LIMITS: Final[Mapping[Verb, int]] = {
    Verb.AUTH: MAX_LINE_OCTETS,
    # SIZE adds 26 octets (RFC 1870 §3), BODY 17 (RFC 6152 §2), AUTH 500 (RFC 4954 §3), SMTPUTF8 10 (RFC 6531 §3.1).
    Verb.MAIL: MAX_COMMAND_OCTETS + 26 + 17 + 500 + 10,
}

_VERBS: Final = {verb.value.encode(): verb for verb in Verb}
_HTTP_METHODS: Final = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PRI")
)


def parse_command(line: bytes) -> Command:
    """Read a line (without CRLF) as a command; letters' case does not matter (RFC 5321 §2.4).

    Raises:
        ProtocolViolation: The command is unknown or longer than its limit. It *closes* where what follows cannot be
            commands: an HTTP client that somebody aimed at us (the rest would be its headers), and BDAT, whose chunk
            would be read as commands.
    """
    name, _, argument = line.partition(b" ")
    verb = _VERBS.get(name.upper())
    if len(line) + 2 > LINE_LIMITS.get(verb or Verb.NOOP, MAX_COMMAND_OCTETS):
        raise ProtocolViolation(AUTH_LINE_TOO_LONG if verb is Verb.AUTH else LINE_TOO_LONG)
    if verb is None:
        raise _unknown(name.upper())
    return Command(verb, argument.strip(b" \t"))


def _unknown(name: bytes) -> ProtocolViolation:
    if name in _HTTP_METHODS:
        return ProtocolViolation(NOT_SMTP, closes=True)
    if name == b"BDAT":
        return ProtocolViolation(NO_BDAT, closes=True)
    return ProtocolViolation(UNKNOWN_COMMAND)
