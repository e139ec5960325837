"""``gatepost key``: API keys."""

from datetime import datetime

import click

from gatepost.cli.arguments import (
    get_account,
    get_key,
    is_duration,
    read_authors,
    read_expiry,
    read_networks,
    read_scopes,
)
from gatepost.cli.certainty import settle, settle_and_hold
from gatepost.cli.context import CommandContext
from gatepost.cli.output import instant, print_fields, print_json, print_table, say
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.decision import Deny
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.grant import Grant, narrow
from gatepost.tenancy.access.issue import issue_key
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.accounts.account import AccountState

_MAX_NAME = 100


@click.group()
def key() -> None:
    """Make and manage API keys, with which applications send."""


@key.command()
@click.option("--account", required=True, help="The account's name or id.")
@click.option("--name", required=True, help="What you call the key; the application that uses it, say.")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may do; mail.send to send. Repeatable.")
@click.option("--expires", help="When it ends: 30d, or 2027-01-01.")
@click.option("--allow-ip", "networks", multiple=True, help="From where it may be used: address or CIDR. Repeatable.")
@click.option("--from", "authors", multiple=True, help="As whom it may send: address or domain. Repeatable.")
@click.pass_obj
def create(
    context: CommandContext,
    *,
    account: str,
    name: str,
    scopes: tuple[str, ...],
    expires: str | None,
    networks: tuple[str, ...],
    authors: tuple[str, ...],
) -> None:
    """Make a key. Prints it, once: it cannot be shown again."""
    _require_name(name)
    with context.control_plane() as plane:
        now = plane.clock.now()
        grant = Grant(
            scopes=read_scopes(scopes),
            allowed_networks=read_networks(networks),
            allowed_authors=read_authors(authors),
            expires_at=read_expiry(expires, now),
        )
        holder = get_account(plane, account)
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
        )
    click.echo(secret.reveal())
    say(f"Made key {made.id} ({name}) for account {holder.name}. The line above is the whole key; it is not stored.")
    say("SMTP: user name `apikey`, password: the key.")
    if MAIL_SEND not in grant.scopes:
        say(f"Note: without the scope {MAIL_SEND} it cannot send mail.")


@key.command(name="list")
@click.option("--account", required=True, help="The account's name or id.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(context: CommandContext, account: str, as_json: bool) -> None:
    """List an account's keys, revoked and expired ones too."""
    with context.control_plane() as plane:
        now = plane.clock.now()
        keys = plane.keys.list_all(get_account(plane, account).id)
    if as_json:
        print_json([_fields(each, now) for each in keys])
    elif keys:
        rows = [
            [
                each.id,
                each.name,
                _state(each, now),
                instant(each.last_used_at) or "never",
                ",".join(sorted(each.grant.scopes)),
            ]
            for each in keys
        ]
        print_table([["ID", "NAME", "STATE", "LAST USED", "SCOPES"], *rows])
    else:
        say(f"Account {account} has no keys: make one with `gatepost key create --account {account} …`.")


@key.command()
@click.argument("key_id", metavar="KEY")
@click.option("--account", help="The account it must belong to.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(context: CommandContext, key_id: str, account: str | None, as_json: bool) -> None:
    """Show one key: everything but its secret."""
    with context.control_plane() as plane:
        fields = _fields(get_key(plane, key_id, account), plane.clock.now())
    if as_json:
        print_json(fields)
    else:
        print_fields(fields)


@key.command(name="narrow")
@click.argument("key_id", metavar="KEY")
@click.option("--account", help="The account it must belong to.")
@click.option("--scope", "scopes", multiple=True, help="The scopes it keeps. Repeatable.")
@click.option("--expires", help="When it ends: 30d, or 2027-01-01.")
@click.option("--allow-ip", "networks", multiple=True, help="From where it may still be used. Repeatable.")
@click.option("--from", "authors", multiple=True, help="As whom it may still send. Repeatable.")
@click.pass_obj
def narrow_(
    context: CommandContext,
    *,
    key_id: str,
    account: str | None,
    scopes: tuple[str, ...],
    expires: str | None,
    networks: tuple[str, ...],
    authors: tuple[str, ...],
) -> None:
    """Permit a key less. Each option replaces what the key has; one that is not given stays as it is.

    Nothing can be permitted again: make another key for that.
    """
    if not (scopes or expires or networks or authors):
        raise click.UsageError("say what to narrow: --scope, --expires, --allow-ip or --from")
    with context.control_plane() as plane:
        kept_scopes, kept_networks, kept_authors = read_scopes(scopes), read_networks(networks), read_authors(authors)
        ends_at = read_expiry(expires, plane.clock.now())

        def decide(current: Grant) -> Grant | Deny:
            ends = ends_at or current.expires_at
            if expires and is_duration(expires) and ends and current.expires_at:
                # Given again a moment later, "in 30 days" is a moment later too.
                ends = min(ends, current.expires_at)
            wanted = Grant(
                scopes=kept_scopes or current.scopes,
                allowed_networks=kept_networks or current.allowed_networks,
                allowed_authors=kept_authors or current.allowed_authors,
                expires_at=ends,
            )
            return narrow(current, wanted)

        found = get_key(plane, key_id, account)
        outcome = plane.keys.change_grant(found.account_id, found.id, decide)
        if isinstance(outcome, Deny):
            raise click.ClickException(
                f"that would permit more than key {found.id} has ({outcome.reason.value}: {outcome.detail}); a key "
                "can only be narrowed. Nothing was changed. Make another key instead: `gatepost key create`"
            )
        # Judged by what was asked for, not by what it changed: the command given again must hold again.
        done = f"Key {found.id} ({found.name}) is narrowed"
        if authors or (scopes and MAIL_SEND not in kept_scopes):
            settle_and_hold(
                context, Predicate(account_id=found.account_id, key_id=found.id), done=done, reason="key narrowed"
            )
        else:
            settle(context, done=done)


@key.command()
@click.argument("key_id", metavar="KEY")
@click.option("--account", help="The account it must belong to.")
@click.pass_obj
def revoke(context: CommandContext, key_id: str, account: str | None) -> None:
    """Revoke a key for good, and hold what it has queued.

    Once this has returned with status 0, no message is accepted under the key, in any session of any worker.
    """
    with context.control_plane() as plane:
        found = get_key(plane, key_id, account)
        plane.keys.revoke(found.account_id, found.id, plane.clock.now())
        settle_and_hold(
            context,
            Predicate(account_id=found.account_id, key_id=found.id),
            done=f"Key {found.id} ({found.name}) is revoked",
            reason="key revoked",
        )


def _require_name(name: str) -> None:
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise click.BadParameter(f"1 to {_MAX_NAME} printable characters are needed", param_hint="--name")


def _state(each: ApiKey, now: datetime) -> str:
    if each.revoked_at is not None:
        return "revoked"
    return "valid" if each.is_valid(now) else "expired"


def _fields(each: ApiKey, now: datetime) -> dict[str, str | list[str] | None]:
    return {
        "id": each.id,
        "account_id": each.account_id,
        "name": each.name,
        "state": _state(each, now),
        "scopes": sorted(each.grant.scopes),
        "allowed_networks": [str(network) for network in each.grant.allowed_networks],
        "allowed_authors": list(each.grant.allowed_authors),
        "created_at": instant(each.created_at),
        "expires_at": instant(each.grant.expires_at),
        "revoked_at": instant(each.revoked_at),
        "last_used_at": instant(each.last_used_at),
        "last_used_from": each.last_used_from,
    }
