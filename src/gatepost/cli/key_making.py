"""``gatepost key create`` and ``rotate``: new keys, whose text is printed once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Unpack

import click

from gatepost.cli.arguments import get_account, get_key, read_duration, read_expiry
from gatepost.cli.certainty import settle
from gatepost.cli.context import CommandContext
from gatepost.cli.key_options import LimitOptions, limit_options, read_kind, read_limits
from gatepost.cli.output import instant, say
from gatepost.primitives.decision import Deny
from gatepost.tenancy.access.budget import new_purse
from gatepost.tenancy.access.grant import Grant, limit
from gatepost.tenancy.access.honey import HONEY_SCOPES
from gatepost.tenancy.access.issue import issue_key
from gatepost.tenancy.access.rotate import MAX_OVERLAP, Rotation, rotate_key
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.accounts.account import AccountState

_MAX_NAME = 100


@click.command()
@click.option("--account", required=True, help="The account's name or id.")
@click.option("--name", required=True, help="What you call the key; the application that uses it, say.")
@click.option("--scope", "scopes", multiple=True, help="What it may do; mail.send to send. Repeatable.")
@click.option("--group", "groups", multiple=True, help='Scopes by group: "Mail Send=full". Repeatable.')
@click.option("--full", is_flag=True, help="It may do everything but billing.")
@click.option("--billing", is_flag=True, help="It may do billing, and nothing else.")
@limit_options
@click.option("--honey", is_flag=True, help="A trap: its use raises an alarm and sends nothing.")
@click.pass_obj
def create(
    context: CommandContext,
    *,
    account: str,
    name: str,
    scopes: tuple[str, ...],
    groups: tuple[str, ...],
    full: bool,
    billing: bool,
    honey: bool,
    **options: Unpack[LimitOptions],
) -> None:
    """Make a key. Prints it, once: it cannot be shown again."""
    _require_name(name)
    granted = read_kind(scopes=scopes, groups=groups, full=full, billing=billing)
    if honey and not granted <= HONEY_SCOPES:
        raise click.UsageError(
            "a honey key may only have scopes of the group Mail Send: what a key reads would be real"
        )
    with context.control_plane() as plane:
        now, holder = plane.clock.now(), get_account(plane, account)
        grant = limit(Grant(scopes=granted), read_limits(options, now), purse=new_purse(holder.id, plane.entropy))
        if holder.effective_state is AccountState.CLOSED:
            raise click.ClickException(f"account {holder.name} is closed: no key would work")
        made, secret = issue_key(
            plane.keys,
            account_id=holder.id,
            name=name,
            grant=grant,
            hash_secret=plane.keyring.hash_secret,
            entropy=plane.entropy,
            now=now,
            is_honey=honey,
        )
    click.echo(secret.reveal())
    say(f"Made key {made.id} ({name}) for account {holder.name}. The line above is the whole key; it is not stored.")
    if honey:
        say("It is a honey key: lay it where only a thief would look, and use it nowhere.")
        return
    say("SMTP: user name `apikey`, password: the key.")
    if MAIL_SEND not in granted:
        say(f"Note: without the scope {MAIL_SEND} it cannot send mail.")


@click.command()
@click.argument("key_id", metavar="KEY")
@click.option("--account", help="The account it must belong to.")
@click.option("--overlap", default="1d", show_default=True, help="How long the old key goes on: 0, 12h, 7d.")
@click.option("--expires", help="When the new key ends: 30d, or 2027-01-01; otherwise when the old one would have.")
@click.pass_obj
def rotate(context: CommandContext, *, key_id: str, account: str | None, overlap: str, expires: str | None) -> None:
    """Make a key with the same grant, and let the old one end after an overlap. Prints the new key, once."""
    with context.control_plane() as plane:
        now, overlap_for = plane.clock.now(), _read_overlap(overlap)
        found = get_key(plane, key_id, account)
        rotation = Rotation(
            account_id=found.account_id,
            key_id=found.id,
            overlap=overlap_for,
            decide=_with_expiry(read_expiry(expires, now)),
        )
        rotated = rotate_key(
            plane.keys, rotation, hash_secret=plane.keyring.hash_secret, entropy=plane.entropy, now=now
        )
    if rotated is None or isinstance(rotated, Deny):
        why = "it is no longer there" if rotated is None else rotated.reason.value
        raise click.ClickException(f"key {found.id} was not rotated: {why}. See `gatepost key show {found.id}`")
    click.echo(rotated.shown.reveal())
    say(f"Made key {rotated.new.id} ({found.name}) to take the place of {found.id}. The line above is the whole key.")
    settle(context, done=f"Key {found.id} ends {instant(rotated.old.grant.expires_at)}")


def _with_expiry(ends_at: datetime | None) -> Callable[[Grant], Grant]:
    """Grant the same; with another end, if one was asked for: the operator may."""
    return lambda grant: grant if ends_at is None else replace(grant, expires_at=ends_at)


def _read_overlap(text: str) -> timedelta:
    overlap = read_duration(text, "--overlap")
    if overlap > MAX_OVERLAP:
        raise click.BadParameter(f"an overlap lasts {MAX_OVERLAP.days}d at most", param_hint="--overlap")
    return overlap


def _require_name(name: str) -> None:
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise click.BadParameter(f"1 to {_MAX_NAME} printable characters are needed", param_hint="--name")
