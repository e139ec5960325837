"""``gatepost key``: API keys."""

from dataclasses import replace
from datetime import datetime
from typing import Unpack

import click

from gatepost.cli.arguments import get_account, get_key, is_duration, read_scopes
from gatepost.cli.certainty import settle, settle_and_hold
from gatepost.cli.context import CommandContext
from gatepost.cli.key_leaked import leaked
from gatepost.cli.key_making import create, rotate
from gatepost.cli.key_options import LimitOptions, limit_options, read_limits
from gatepost.cli.output import instant, print_fields, print_json, print_table, say
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.decision import Deny
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.budget import new_purse, tightest
from gatepost.tenancy.access.grant import Grant, Limits, limit, narrow
from gatepost.tenancy.access.scope import MAIL_SEND, kind_of
from gatepost.tenancy.access.scope_group import GROUPS


@click.group()
def key() -> None:
    """Make and manage API keys, with which applications send."""


for _command in (create, rotate, leaked):
    key.add_command(_command)


@key.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def scopes(as_json: bool) -> None:
    """List the groups of scopes, for --group, and the scopes in each."""
    if as_json:
        print_json([{"name": each.name, "read": sorted(each.read), "full": sorted(each.full)} for each in GROUPS])
        return
    rows = [[each.name, f"{len(each.read)}", f"{len(each.full)}", ",".join(sorted(each.full))] for each in GROUPS]
    print_table([["GROUP", "READ", "FULL", "SCOPES"], *rows])


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
@limit_options
@click.pass_obj
def narrow_(
    context: CommandContext,
    *,
    key_id: str,
    account: str | None,
    scopes: tuple[str, ...],
    **options: Unpack[LimitOptions],
) -> None:
    """Permit a key less. Each option replaces what the key has; one that is not given stays as it is.

    Nothing can be permitted again: make another key for that.
    """
    with context.control_plane() as plane:
        kept, limits = read_scopes(scopes), read_limits(options, plane.clock.now())
        if not kept and limits == Limits():
            raise click.UsageError("say what to narrow: --scope, --expires, --allow-ip, --from, --to or a budget")

        found = get_key(plane, key_id, account)
        purse = new_purse(found.account_id, plane.entropy)

        def decide(current: Grant) -> Grant | Deny:
            wanted = limit(replace(current, scopes=kept or current.scopes), limits, purse=purse)
            if is_duration(options["expires"] or "") and current.expires_at and wanted.expires_at:
                # Given again a moment later, "in 30 days" is a moment later too.
                wanted = replace(wanted, expires_at=min(wanted.expires_at, current.expires_at))
            return narrow(current, wanted)

        outcome = plane.keys.change_grant(found.account_id, found.id, decide)
        if isinstance(outcome, Deny):
            raise click.ClickException(
                f"that would permit more than key {found.id} has ({outcome.reason.value}: {outcome.detail}); a key "
                "can only be narrowed. Nothing was changed. Make another key instead: `gatepost key create`"
            )
        # Judged by what was asked for, not by what it changed: the command given again must hold again.
        done = f"Key {found.id} ({found.name}) is narrowed"
        if limits.allowed_authors or limits.allowed_recipient_domains or (kept and MAIL_SEND not in kept):
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
        "kind": "honey" if each.is_honey else kind_of(each.grant.scopes).value,
        "scopes": sorted(each.grant.scopes),
        "allowed_networks": [str(network) for network in each.grant.allowed_networks],
        "allowed_authors": list(each.grant.allowed_authors),
        "created_at": instant(each.created_at),
        "allowed_recipient_domains": list(each.grant.allowed_recipient_domains),
        "budget": [f"{measure.value}={most}" for measure, most in tightest(each.grant.purses).limits()],
        "expires_at": instant(each.grant.expires_at),
        "revoked_at": instant(each.revoked_at),
        "last_used_at": instant(each.last_used_at),
        "last_used_from": each.last_used_from,
        "last_used_by": each.last_used_by,
    }
