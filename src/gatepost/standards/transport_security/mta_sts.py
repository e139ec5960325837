"""MTA-STS: the record that says there is a policy, the policy, and whether it names a mail host (RFC 8461)."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from gatepost.standards.transport_security.tags import read_tags

VERSION: Final = "v=STSv1"
POLICY_PATH: Final = "/.well-known/mta-sts.txt"
MAX_POLICY_OCTETS: Final = 64 * 1024
"""What senders read at most (RFC 8461 §3.3 suggests it)."""

MAX_MAX_AGE: Final = timedelta(seconds=31_557_600)
"""RFC 8461 §3.2."""

_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class MTASTSError(ValueError):
    """The record or the policy cannot be used; the text says why."""


class Mode(Enum):
    """What senders do when TLS fails towards a host (RFC 8461 §5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy; ``mail_hosts`` are names in lower case, or ``*.`` and a name."""

    mode: Mode
    max_age: timedelta
    mail_hosts: tuple[str, ...]

    def names(self, host: str) -> bool:
        """Say whether mail may go to that host: a wildcard stands for exactly one label (RFC 8461 §4.1)."""
        name = host.lower().removesuffix(".")
        parent = name.partition(".")[2]
        return any(name == each or (parent and each == f"*.{parent}") for each in self.mail_hosts)


def parse_record(text: str) -> str:
    """Return the id of a record at ``_mta-sts``: it differs whenever the policy does.

    Raises:
        MTASTSError: It has none that senders can use.
    """
    try:
        identifier = read_tags(text, VERSION).get("id")
    except ValueError as error:
        raise MTASTSError(str(error)) from error
    if identifier is None:
        raise MTASTSError("it has no id=")
    if not _ID.fullmatch(identifier):
        raise MTASTSError(f"id={identifier[:40]} is none: write at most 32 letters and digits")
    return identifier


def parse_policy(octets: bytes) -> Policy:
    """Read a policy.

    Raises:
        MTASTSError: It cannot be used; senders then go on without one.
    """
    if len(octets) > MAX_POLICY_OCTETS:
        raise MTASTSError(f"it is larger than {MAX_POLICY_OCTETS} octets")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MTASTSError("it is no text in UTF-8") from error
    fields, hosts = _read_lines(text)
    if fields.get("version") != "STSv1":
        raise MTASTSError('it has no line "version: STSv1"')
    try:
        mode = Mode(fields.get("mode", ""))
    except ValueError as error:
        raise MTASTSError('it has no line "mode: enforce", "mode: testing" or "mode: none"') from error
    age = fields.get("max_age", "")
    if not (age.isascii() and age.isdigit() and len(age) <= 10 and timedelta(seconds=int(age)) <= MAX_MAX_AGE):
        raise MTASTSError(f'it has no line "max_age: " with seconds, at most {int(MAX_MAX_AGE.total_seconds())}')
    if not hosts and mode is not Mode.NONE:
        raise MTASTSError('it has no line "mx: " with the name of a mail host')
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise MTASTSError(f'"mx: {host[:60]}" names no host: write a name, or "*." and a name')
    return Policy(mode=mode, max_age=timedelta(seconds=int(age)), mail_hosts=hosts)


def _read_lines(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the fields, of which the first of each name counts, and the mail hosts. Lines end in LF or CRLF."""
    fields: dict[str, str] = {}
    hosts: list[str] = []
    for line in filter(None, (line.strip(" \t\r") for line in text.split("\n"))):
        name, is_field, value = line.partition(":")
        if not is_field or not name.strip():
            raise MTASTSError(f'{line[:60]!r} is no line of a policy: write "name: value"')
        if name.strip() == "mx":
            hosts.append(value.strip().lower().removesuffix("."))
        else:
            fields.setdefault(name.strip(), value.strip())
    return fields, tuple(hosts)
