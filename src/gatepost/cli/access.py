"""``gatepost access``: from where an account may be reached, and who came from where.

The way back in for an account that has shut itself out: no list judges who gives these commands.
"""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

import click

from gatepost.cli.arguments import get_account
from gatepost.cli.certainty import settle
from gatepost.cli.context import CommandContext
from gatepost.cli.output import instant, print_json, print_table, say
from gatepost.primitives.decision import Deny
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.access.ip_access import edit
from gatepost.tenancy.access.ip_access.access_list import MAX_RULES, AccessList, ListMode, Verdict
from gatepost.tenancy.access.ip_access.attempt import Attempt
from gatepost.tenancy.access.ip_access.attempt_log import MAX_ATTEMPTS
from gatepost.tenancy.access.ip_access.edit import Author, EditDenial
from gatepost.tenancy.access.ip_allowlist import Network, parse_network
from gatepost.tenancy.accounts.account import Account

_FORCE = click.option("--force", is_flag=True, help="Even if nobody who was let in lately would be any more.")
_MAX_SHOWN = 10


@click.group()
def access() -> None:
    """Say from where an account may be reached, by people, API keys and mail sessions, and see who came.

    An account without any network listed is reached from everywhere.
    """


@access.command(name="list")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_rules(context: CommandContext, account: str, as_json: bool) -> None:
    """List the networks that are let in."""
    with context.control_plane() as plane:
        found = plane.ip_access.find(get_account(plane, account).id)
    rules = [
        {"id": rule.id, "network": str(rule.network), "created_at": instant(rule.created_at)} for rule in found.rules
    ]
    if as_json:
        print_json({"mode": found.mode.value, "rules": rules})
        return
    print_table([["ID", "NETWORK", "CREATED"], *[[str(value) for value in rule.values()] for rule in rules]])
    say(_describe(found))


@access.command()
@click.argument("account")
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@_FORCE
@click.pass_obj
def add(context: CommandContext, account: str, networks: tuple[str, ...], force: bool) -> None:
    """Let in addresses (192.0.2.7), blocks (192.0.2.0/24, 2001:db8::/32) or patterns (192.168.*.*).

    The first one shuts out everybody else: `gatepost access observe` shows beforehand whom.
    """
    wanted = _read_networks(networks)
    with context.control_plane() as plane:
        found = get_account(plane, account)
        _edit(
            context,
            plane,
            found,
            lambda author: edit.add_rules(
                plane.ip_access, found.id, wanted, author, now=plane.clock.now(), force=force
            ),
        )


@access.command()
@click.argument("account")
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@_FORCE
@click.pass_obj
def remove(context: CommandContext, account: str, networks: tuple[str, ...], force: bool) -> None:
    """Let in networks no longer, written as `gatepost access list` shows them, or by id."""
    with context.control_plane() as plane:
        found = get_account(plane, account)
        ids = _find_ids(plane.ip_access.find(found.id), networks)
        _edit(
            context,
            plane,
            found,
            lambda author: edit.remove_rules(plane.ip_access, found.id, ids, author, force=force),
        )


@access.command()
@click.argument("account")
@click.pass_obj
def observe(context: CommandContext, account: str) -> None:
    """Refuse nobody, but record whom the list would have refused: `gatepost access activity` shows it."""
    _set_mode(context, account, ListMode.OBSERVED, force=False)


@access.command()
@click.argument("account")
@_FORCE
@click.pass_obj
def enforce(context: CommandContext, account: str, force: bool) -> None:
    """Refuse everybody who is not listed."""
    _set_mode(context, account, ListMode.ENFORCED, force=force)


@access.command()
@click.argument("account")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MAX_ATTEMPTS), help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def activity(context: CommandContext, account: str, limit: int, as_json: bool) -> None:
    """Show who came from where and whether he was let in, the latest first; up to a minute late."""
    with context.control_plane() as plane:
        attempts = plane.attempts.list_recent(get_account(plane, account).id, limit)
    shown = [_fields(attempt) for attempt in attempts]
    if as_json:
        print_json(shown)
    else:
        headings = ["ADDRESS", "BY", "VERDICT", "ATTEMPTS", "FIRST", "LAST"]
        print_table([headings, *[[str(value) for value in fields.values()] for fields in shown]])


def _set_mode(context: CommandContext, account: str, mode: ListMode, *, force: bool) -> None:
    with context.control_plane() as plane:
        found = get_account(plane, account)
        _edit(
            context,
            plane,
            found,
            lambda author: edit.set_mode(plane.ip_access, found.id, mode, author, force=force),
        )


def _edit(
    context: CommandContext, plane: ControlPlane, found: Account, change: Callable[[Author], AccessList | Deny]
) -> None:
    seen = plane.attempts.list_recent(found.id, MAX_ATTEMPTS)
    let_in = sorted({attempt.address for attempt in seen if attempt.verdict is not Verdict.REFUSED})
    after = change(Author(address=None, may_force=True, let_in_lately=[ip_address(each) for each in let_in]))
    if isinstance(after, Deny):
        raise click.ClickException(_explain(after, found.name))
    settle(context, done=f"Account {found.name}: {_describe(after)}")
    shut_out = [each for each in let_in if after.judge(ip_address(each)) is Verdict.REFUSED]
    if shut_out:
        more = f" and {len(shut_out) - _MAX_SHOWN} more" if len(shut_out) > _MAX_SHOWN else ""
        say(f"Let in during the last 30 days, and refused from now on: {', '.join(shut_out[:_MAX_SHOWN])}{more}.")


def _explain(denial: Deny, name: str) -> str:
    if denial.reason is EditDenial.SHUTS_OUT_EVERYBODY:
        return (
            f"nobody who was let in during the last 30 days ({denial.detail} addresses: see `gatepost access activity "
            f"{name}`) would be any more; begin with `gatepost access observe {name}`, or repeat it with --force"
        )
    if denial.reason is EditDenial.TOO_MANY_RULES:
        return f"a list has at most {MAX_RULES} networks: write larger blocks"
    return f"the list of {name} was changed at this moment: see `gatepost access list {name}`"


def _describe(found: AccessList) -> str:
    if not found.rules:
        return "no network is listed, everybody is let in"
    what = (
        "is let in" if found.mode is ListMode.ENFORCED else "would be let in; nobody is refused, the list is observed"
    )
    return f"who comes from {len(found.rules)} listed network{'s' if len(found.rules) > 1 else ''} {what}"


def _read_networks(texts: Sequence[str]) -> list[Network]:
    try:
        return [parse_network(text) for text in texts]
    except ValueError as error:
        hint = "write 192.0.2.7, 192.0.2.0/24, 192.168.*.* or 2001:db8::/32"
        raise click.BadParameter(f"{error}; {hint}", param_hint="NETWORK") from error


def _find_ids(found: AccessList, texts: Sequence[str]) -> frozenset[int]:
    by_network = {rule.network: rule.id for rule in found.rules}
    by_id = {str(rule.id): rule.id for rule in found.rules}
    ids: set[int] = set()
    for text in texts:
        rule_id = by_id[text] if text in by_id else by_network.get(_read_networks([text])[0])
        if rule_id is None:
            raise click.BadParameter(f"{text} is not listed: see `gatepost access list`", param_hint="NETWORK")
        ids.add(rule_id)
    return frozenset(ids)


def _fields(attempt: Attempt) -> dict[str, str | int | None]:
    return {
        "address": attempt.address,
        "by": attempt.method.value,
        "verdict": attempt.verdict.value,
        "attempts": attempt.count,
        "first_at": instant(attempt.first_at),
        "last_at": instant(attempt.last_at),
    }
