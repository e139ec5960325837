"""Reading what an operator types; what cannot be read is refused with what to write instead."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from gatepost.primitives.ids import KeyId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.standards.address import AddressError, parse_domain, parse_mailbox
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.grant import Network
from gatepost.tenancy.access.ip_allowlist import parse_network
from gatepost.tenancy.access.scope import UnknownScope, require_known
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.accounts.lifecycle import find_named

_DURATION: Final = re.compile(r"([0-9]{1,5})([hdw])")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_SHORT_DURATION: Final = re.compile(r"([0-9]{1,5})([smhdw])")
_SHORT_UNITS: Final = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), **_UNITS}
_MAX_REASON: Final = 200


def read_scopes(names: Iterable[str]) -> frozenset[str]:
    """Read scope names."""
    try:
        return require_known(names)
    except UnknownScope as error:
        raise click.BadParameter(str(error), param_hint="--scope") from error


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read addresses and CIDR blocks."""
    try:
        return tuple(dict.fromkeys(parse_network(text) for text in texts))
    except ValueError as error:
        raise click.BadParameter(f"{error}; write 192.0.2.7 or 192.0.2.0/24", param_hint="--allow-ip") from error


def read_authors(texts: Iterable[str]) -> tuple[str, ...]:
    """Read addresses and domains, and return them as they are compared: domains as lower-case A-labels."""
    return tuple(dict.fromkeys(_read_author(text) for text in texts))


def read_recipient_domains(texts: Iterable[str]) -> tuple[str, ...]:
    """Read recipients' domains, and return them as they are compared: lower-case A-labels."""
    try:
        return tuple(dict.fromkeys(parse_domain(text.removesuffix(".")) for text in texts))
    except AddressError as error:
        raise click.BadParameter(f"{error}; write a name like example.com", param_hint="--to") from error


def read_domain(text: str) -> str:
    """Read a domain name: lower-case A-labels, at least two of them."""
    try:
        name = parse_domain(text.removesuffix("."))
    except AddressError as error:
        raise click.BadParameter(f"{text!r}: {error}; write a name like example.com", param_hint="DOMAIN") from error
    if "." not in name:
        raise click.BadParameter(f"{text!r} is a top-level name; write a name like example.com", param_hint="DOMAIN")
    return name


def read_expiry(text: str | None, now: datetime) -> datetime | None:
    """Read a duration (``12h``, ``30d``, ``2w``), a date (its first instant, UTC) or an instant with a zone."""
    if text is None:
        return None
    hint = "write 12h, 30d, 2w, 2027-01-01 or 2027-01-01T12:00:00Z"
    duration = _DURATION.fullmatch(text)
    try:
        at = now + int(duration[1]) * _UNITS[duration[2]] if duration else datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is no time; {hint}", param_hint="--expires") from error
    if at.tzinfo is None:
        if len(text) != len("2027-01-01"):
            raise click.BadParameter(f"{text!r} has no time zone; {hint}", param_hint="--expires")
        at = at.replace(tzinfo=UTC)
    if at <= now:
        raise click.BadParameter(f"{text!r} is not in the future; {hint}", param_hint="--expires")
    return at.astimezone(UTC)


def read_since(text: str, now: datetime) -> datetime:
    """Read how long ago (``90s``, ``15m``, ``1h``, ``2d``), a date (its first instant, UTC) or an instant with zone."""
    hint = "write 15m, 1h, 2d, 2027-01-01 or 2027-01-01T12:00:00Z"
    duration = _SHORT_DURATION.fullmatch(text)
    try:
        at = now - int(duration[1]) * _SHORT_UNITS[duration[2]] if duration else datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is no time; {hint}", param_hint="--since") from error
    if at.tzinfo is None:
        if len(text) != len("2027-01-01"):
            raise click.BadParameter(f"{text!r} has no time zone; {hint}", param_hint="--since")
        at = at.replace(tzinfo=UTC)
    return at.astimezone(UTC)


def read_destination(text: str) -> str:
    """Read the domain of recipients, as the queue holds it: lower-case A-labels, or an address literal."""
    try:
        return parse_mailbox(f"postmaster@{text.removesuffix('.')}".encode(), allow_utf8=True).domain
    except AddressError as error:
        hint = "write a recipient's domain, like example.com"
        raise click.BadParameter(f"{text!r} is no domain; {hint}", param_hint="--domain") from error


def read_reason(text: str) -> str:
    """Read a reason: it goes into the events of every recipient concerned."""
    if not text.strip() or len(text) > _MAX_REASON or not text.isprintable():
        raise click.BadParameter(f"1 to {_MAX_REASON} printable characters are needed", param_hint="--reason")
    return text.strip()


def read_duration(text: str, parameter: str) -> timedelta:
    """Read a duration: ``90s``, ``12h``, ``7d``; 0 for none."""
    match = _SHORT_DURATION.fullmatch(text)
    if match is None and text != "0":
        raise click.BadParameter(f"{text!r} is no duration; write 0, 15m, 12h or 7d", param_hint=parameter)
    return timedelta(0) if match is None else int(match[1]) * _SHORT_UNITS[match[2]]


def is_duration(text: str) -> bool:
    """Say whether an expiry is meant from now on, and not a point in time."""
    return _DURATION.fullmatch(text) is not None


def get_account(control_plane: ControlPlane, reference: str) -> Account:
    """Return the account of that name or id."""
    account = find_named(control_plane.accounts, reference)
    if account is None:
        raise click.ClickException(f"there is no account {reference!r}: see `gatepost account list`")
    return account


def get_key(control_plane: ControlPlane, reference: str, account: str | None) -> ApiKey:
    """Return the key of that id; of that account, if one is given.

    The whole key is taken for its id: who has to revoke a key in a hurry often has nothing else at hand.
    """
    credential = api_key.parse(reference.encode())
    key_id = KeyId(reference) if credential is None else credential[0]
    if account is None:
        key = control_plane.keys.resolve(key_id)
    else:
        key = control_plane.keys.find(get_account(control_plane, account).id, key_id)
    if key is None:
        # What was typed may be a secret with a slip in it; it is not repeated.
        where = "" if account is None else f" in account {account!r}"
        raise click.ClickException(f"there is no such key{where}: see `gatepost key list --account NAME`")
    return key


def _read_author(text: str) -> str:
    try:
        return str(parse_mailbox(text.encode(), allow_utf8=True)) if "@" in text else parse_domain(text)
    except AddressError as error:
        hint = "write news@example.com or example.com"
        raise click.BadParameter(f"{text!r}: {error}; {hint}", param_hint="--from") from error
