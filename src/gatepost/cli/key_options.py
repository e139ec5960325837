"""Options of ``gatepost key`` that several of its commands take, and what they mean."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict, TypeVar

import click

from gatepost.cli.arguments import read_authors, read_expiry, read_networks, read_recipient_domains, read_scopes
from gatepost.tenancy.access.budget import MAX_LIMIT, Budget
from gatepost.tenancy.access.grant import Limits
from gatepost.tenancy.access.scope import BILLING, FULL_ACCESS, MixedScopes, require_one_kind
from gatepost.tenancy.access.scope_group import UnknownGroup, require_groups

F = TypeVar("F", bound=Callable[..., Any])

_LIMIT = click.IntRange(0, MAX_LIMIT)
_OPTIONS = (
    click.option("--expires", help="When it ends: 30d, or 2027-01-01."),
    click.option("--allow-ip", "networks", multiple=True, help="From where it may be used: address or CIDR."),
    click.option("--from", "authors", multiple=True, help="As whom it may send: address or domain."),
    click.option("--to", "recipient_domains", multiple=True, help="To whom it may send: a recipients' domain."),
    click.option("--messages-per-hour", type=_LIMIT, help="A copy to one recipient is one message."),
    click.option("--messages-per-day", type=_LIMIT, help="As above."),
    click.option("--new-recipients-per-hour", type=_LIMIT, help="Recipients that have not been written to before."),
    click.option("--new-recipients-per-day", type=_LIMIT, help="As above."),
)


class LimitOptions(TypedDict):
    """What the command line says of limits."""

    expires: str | None
    networks: tuple[str, ...]
    authors: tuple[str, ...]
    recipient_domains: tuple[str, ...]
    messages_per_hour: int | None
    messages_per_day: int | None
    new_recipients_per_hour: int | None
    new_recipients_per_day: int | None


def limit_options(command: F) -> F:
    """Give a command the options of a key's limits; those for lists are repeatable."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_limits(options: LimitOptions, now: datetime) -> Limits:
    """Read them; what was not given stays as it is."""
    return Limits(
        allowed_networks=read_networks(options["networks"]) or None,
        allowed_authors=read_authors(options["authors"]) or None,
        allowed_recipient_domains=read_recipient_domains(options["recipient_domains"]) or None,
        expires_at=read_expiry(options["expires"], now),
        budget=Budget(
            messages_per_hour=options["messages_per_hour"],
            messages_per_day=options["messages_per_day"],
            new_recipients_per_hour=options["new_recipients_per_hour"],
            new_recipients_per_day=options["new_recipients_per_day"],
        ),
    )


def read_kind(*, scopes: tuple[str, ...], groups: tuple[str, ...], full: bool, billing: bool) -> frozenset[str]:
    """Read what a new key may do: all, billing, or the scopes and groups that are named."""
    if full + billing + bool(scopes or groups) != 1:
        raise click.UsageError("say what the key may do: --scope and --group, or --full, or --billing")
    if full or billing:
        return FULL_ACCESS if full else BILLING
    try:
        chosen = require_groups([_read_group(text) for text in groups])
    except UnknownGroup as error:
        raise click.BadParameter(f"{error}; see `gatepost key scopes`", param_hint="--group") from error
    try:
        return require_one_kind(read_scopes(scopes) | chosen)
    except MixedScopes as error:
        raise click.UsageError(str(error)) from error


def _read_group(text: str) -> tuple[str, str]:
    name, equals, level = text.rpartition("=")
    if not equals:
        raise click.BadParameter(f'{text!r}: write "Mail Send=full"', param_hint="--group")
    return name, level
