"""``gatepost account``: the tenants."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import click

from gatepost.cli.arguments import get_account
from gatepost.cli.certainty import settle, settle_and_hold
from gatepost.cli.context import CommandContext
from gatepost.cli.output import instant, print_fields, print_json, print_table, say
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.decision import Deny
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.access.ip_access.edit import begin_as
from gatepost.tenancy.accounts import lifecycle, membership
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.credits import Allocation, CreditPeriod, allocate
from gatepost.tenancy.accounts.joining import Inviting
from gatepost.tenancy.accounts.lifecycle import AccountRefused
from gatepost.tenancy.accounts.membership import SET_UP_VALID_FOR
from gatepost.tenancy.accounts.ports import AccountNameTaken
from gatepost.tenancy.accounts.teammate import PersonRefused, require_email

_PERIODS: Final = {"day": CreditPeriod.DAILY, "week": CreditPeriod.WEEKLY, "month": CreditPeriod.MONTHLY}


@click.group()
def account() -> None:
    """Make and manage accounts, the tenants of this service."""


@account.command()
@click.argument("name")
@click.option("--parent", help="Make it a subuser of this account: a name or an id.")
@click.option("--email", default="", help="Of whoever is responsible for it.")
@click.pass_obj
def create(context: CommandContext, name: str, parent: str | None, email: str) -> None:
    """Make an account, or a subuser of one. Prints its id."""
    with context.control_plane() as plane:
        above = None if parent is None else get_account(plane, parent)
        try:
            with plane.audit.unit_of_work():
                made = lifecycle.create(
                    plane.accounts, name, now=plane.clock.now(), entropy=plane.entropy, parent=above, email=email
                )
                if above is not None:
                    begin_as(plane.ip_access, made.id, plane.ip_access.find(above.id))
        except AccountRefused as error:
            raise click.BadParameter(str(error), param_hint="NAME") from error
        except AccountNameTaken as error:
            raise click.ClickException(f"there is an account {name!r} already: see `gatepost account list`") from error
    click.echo(made.id)
    say(f"Made account {name}. Next: `gatepost domain add --account {name} DOMAIN`.")


@account.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(context: CommandContext, as_json: bool) -> None:
    """List the accounts, each with its subusers below it."""
    with context.control_plane() as plane:
        found = _as_tree(plane.accounts.list_all())
    if as_json:
        print_json([_fields(each) for each in found])
    elif found:
        print_table([["NAME", "ID", "STATE", "CREATED"], *map(_row, found)])
    else:
        say("There are no accounts: make one with `gatepost account create NAME`.")


@account.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(context: CommandContext, name: str, as_json: bool) -> None:
    """Show one account, by name or id."""
    with context.control_plane() as plane:
        found = get_account(plane, name)
        credits_ = plane.accounts.find_allocation(found.id)
        now = plane.clock.now()
    fields = {**_fields(found), "credits": _describe(credits_, now)}
    if as_json:
        print_json(fields)
    else:
        print_fields({**fields})


@account.command()
@click.argument("name")
@click.pass_obj
def review(context: CommandContext, name: str) -> None:
    """Take no mail from an account for now, and hold what it has queued; its keys and people go on otherwise."""
    with context.control_plane() as plane:
        found = get_account(plane, name)
        _stop(context, plane, found, AccountState.UNDER_REVIEW)


@account.command()
@click.argument("name")
@click.pass_obj
def suspend(context: CommandContext, name: str) -> None:
    """Take no more mail from an account or its subusers, and hold what they have queued."""
    with context.control_plane() as plane:
        found = get_account(plane, name)
        _stop(context, plane, found, AccountState.SUSPENDED)


@account.command()
@click.argument("name")
@click.pass_obj
def resume(context: CommandContext, name: str) -> None:
    """Take mail from a stopped account again. What is held stays held until it is released."""
    with context.control_plane() as plane:
        _move(plane, get_account(plane, name), AccountState.ACTIVE)
        found = get_account(plane, name)
    if found.effective_state is AccountState.ACTIVE:
        say(f"Account {name} is active. What was held stays so until `gatepost queue release --account {name}`.")
    else:
        say(f"Account {name} is active by itself, but its parent keeps it {found.effective_state.value}.")


@account.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def close(context: CommandContext, name: str, yes: bool) -> None:
    """Close an account for good, with its subusers, and hold what they have queued."""
    with context.control_plane() as plane:
        found = get_account(plane, name)
        if not yes:
            click.confirm(f"Close account {found.name} for good?", abort=True, err=True)
        _stop(context, plane, found, AccountState.CLOSED)


@account.command()
@click.argument("name", metavar="ACCOUNT")
@click.argument("email")
@click.pass_obj
def owner(context: CommandContext, name: str, email: str) -> None:
    """Invite an account's first owner. Prints a token, once: hand it to that person by a way you trust."""
    with context.control_plane() as plane:
        holder = get_account(plane, name)
        made = Inviting(plane.people_tools).invite_owner(holder.id, _read_email(email), plane.actor)
    if isinstance(made, Deny):
        raise click.ClickException(
            f"account {holder.name} has an owner already: see `gatepost teammate list --account {holder.name}`; for "
            "one who is locked out there is `gatepost account recover`"
        )
    invitation, token = made
    click.echo(token.reveal())
    ends = _end(invitation.expires_at)
    say(f"The line above makes {invitation.email} the owner of {holder.name}, once, until {ends}.")
    say("It is given to POST /v3/invitations/accept together with a user name and a password.")


@account.command()
@click.argument("person")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def recover(context: CommandContext, person: str, yes: bool) -> None:
    """Let a locked-out PERSON (user name or e-mail address) begin anew. Prints a token, once.

    Takes away the password, every second factor and every recovery code, and ends every session: make sure that it is
    that person who asks. With the token he sets a password, and has to enrol a second factor.
    """
    with context.control_plane() as plane:
        found = plane.people_stores.teammates.resolve(person)
        if found is None:
            raise click.ClickException(f"nobody is called {person!r}: see `gatepost teammate list --account NAME`")
        if not yes:
            click.confirm(f"Take all that {found.username} ({found.email}) signs in with away?", abort=True, err=True)
        token = membership.recover(plane.people_tools, found, plane.actor)
        ends_at = plane.clock.now() + SET_UP_VALID_FOR
    settle(context, done=f"All sessions of {found.username} have ended; nothing he signed in with works any more")
    click.echo(token.reveal())
    say(f"The line above is given to POST /v3/password_resets/redeem, once, until {_end(ends_at)}.")


def _read_email(text: str) -> str:
    try:
        return require_email(text)
    except PersonRefused as error:
        raise click.BadParameter(str(error), param_hint="EMAIL") from error


def _end(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _stop(context: CommandContext, plane: ControlPlane, found: Account, state: AccountState) -> None:
    """Move an account; its subusers, whose state follows from it, have their queued mail held too.

    They are listed once the move is committed: whoever becomes a subuser later could queue nothing any more.
    """
    _move(plane, found, state)
    for each in (found, *plane.accounts.list_subusers(found.id)):
        settle_and_hold(
            context,
            Predicate(account_id=each.id),
            done=f"{'Account' if each is found else 'Its subuser'} {each.name} is {state.value}",
            reason=f"account {state.value}",
        )


@account.command(name="credits")
@click.argument("name")
@click.option("--total", type=click.IntRange(min=1), help="How many recipients; with --every, in each period.")
@click.option("--every", type=click.Choice(_PERIODS), help="Give them anew each day, week (Monday) or month, in UTC.")
@click.option("--unlimited", is_flag=True, help="Lift the limit.")
@click.pass_obj
def credits_(context: CommandContext, name: str, total: int | None, every: str | None, unlimited: bool) -> None:
    """Limit to how many recipients an account and its subusers together may send."""
    if unlimited == (total is not None) or (unlimited and every):
        raise click.UsageError("give --total, with or without --every; or --unlimited alone")
    with context.control_plane() as plane:
        found, now = get_account(plane, name), plane.clock.now()
        period = _PERIODS.get(every or "")
        changed = plane.accounts.change_allocation(
            found.id, lambda current: None if total is None else allocate(period, total, current, now)
        )
        settle(context, done=f"Account {found.name} has credits: {_describe(changed, now)}")


def _move(plane: ControlPlane, found: Account, state: AccountState) -> None:
    try:
        lifecycle.move(plane.accounts, found, state)
    except AccountRefused as error:
        raise click.ClickException(str(error)) from error


def _as_tree(accounts: Iterable[Account]) -> list[Account]:
    """Order accounts by name, each followed by its subusers."""
    ordered = list(accounts)
    return [
        each
        for parent in ordered
        if parent.parent_id is None
        for each in (parent, *[child for child in ordered if child.parent_id == parent.id])
    ]


def _row(each: Account) -> list[str]:
    own, effective = each.state.value, each.effective_state.value
    state = own if own == effective else f"{effective} (itself {own})"
    return ["  " + each.name if each.parent_id else each.name, each.id, state, instant(each.created_at) or ""]


def _fields(each: Account) -> dict[str, str | None]:
    return {
        "name": each.name,
        "id": each.id,
        "state": each.state.value,
        "effective_state": each.effective_state.value,
        "parent_id": each.parent_id,
        "email": each.email,
        "created_at": instant(each.created_at),
    }


def _describe(allocation: Allocation | None, now: datetime) -> str:
    if allocation is None:
        return "unlimited"
    current = allocation.at(now)
    until = "once" if current.period is None else current.period.value
    return f"{current.remaining} of {current.total + current.extra} left, {until}"
