"""``gatepost dkim``: new signing keys, for one domain or for all, and how far that is."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import click

from gatepost.cli.arguments import get_account, read_domain
from gatepost.cli.context import CommandContext
from gatepost.cli.output import instant, print_json, print_table, say
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.senders.domain import UNNUMBERED, AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.rotation import ask_for_rotation, is_rotating, next_step

_PAGE = 500
_PROGRESS_EVERY = 500


@click.group()
def dkim() -> None:
    """Rotate DKIM keys, and show how far that is."""


@dkim.command()
@click.argument("name", metavar="[DOMAIN]", default="")
@click.option("--account", default="", help="The account that has the domain.")
@click.option("--all", "is_all", is_flag=True, help="Every verified domain with automatic security.")
@click.option("--emergency", is_flag=True, help="A key may be known to others: withdraw the old one at the switch.")
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    default=60,
    metavar="MINUTES",
    help="With --all: leave newer keys alone, so that the command can be given again after it was cut short.",
)
@click.pass_obj
def rotate(context: CommandContext, *, name: str, account: str, is_all: bool, emergency: bool, older_than: int) -> None:
    """Ask for new keys. The service draws, publishes and checks them, and signs with them once every resolver has them.

    The request is stored: it is fulfilled whatever is stopped or started meanwhile. `gatepost dkim status` shows how
    far it is.
    """
    if is_all == bool(name):
        raise click.UsageError("name a domain, or give --all")
    with context.control_plane() as plane:
        now = plane.clock.now()
        if is_all:
            asked = _ask_all(plane, now, older_than=timedelta(minutes=older_than), is_urgent=emergency)
            say(f"New keys are asked for {asked} domains: see `gatepost dkim status`.")
            return
        if not account:
            raise click.UsageError("name the account that has the domain: --account")
        holder = get_account(plane, account)
        claims = [each for each in plane.domains.list_all(holder.id) if each.name == read_domain(name)]
        if not claims:
            raise click.ClickException(f"account {holder.name} has no domain {name}")
        for claim in claims:
            _ask(plane, claim, now, is_urgent=emergency)
        say(f"New keys are asked for {name}: see `gatepost dkim status --account {holder.name}`.")
        if not all(claim.is_automatic for claim in claims):
            say(
                f"The customer has to publish them; in a minute: `gatepost domain show {name} --account {holder.name}`."
            )


@dkim.command()
@click.option("--account", default="", help="Only this account's domains, one by one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(context: CommandContext, *, account: str, as_json: bool) -> None:
    """Show how far rotations are: a line for each state, or for each domain of one account."""
    with context.control_plane() as plane:
        policy, now = context.rotation_policy(), plane.clock.now()
        if account:
            claims = plane.domains.list_all(get_account(plane, account).id)
            rows = [_row(each) for each in claims]
            if as_json:
                print_json([dict(zip(_COLUMNS, row, strict=True)) for row in rows])
            else:
                print_table([list(_COLUMNS), *rows])
            return
        counts = Counter(_stage(each, has_step=next_step(each, policy, now=now) is not None) for each in _all(plane))
    if as_json:
        print_json(dict(counts))
    else:
        print_table([["KEYS", "DOMAINS"], *[[stage, str(count)] for stage, count in sorted(counts.items())]])


_COLUMNS = ("domain", "selector", "algorithm", "state", "since")


def _row(claim: AuthenticatedDomain) -> list[str]:
    def joined(texts: Iterator[str]) -> str:
        return " ".join(texts)

    return [
        claim.name,
        joined(key.selector for key in claim.dkim_keys),
        joined(key.algorithm.value for key in claim.dkim_keys),
        joined(key.state.value for key in claim.dkim_keys),
        joined(instant(key.since) or "-" for key in claim.dkim_keys),
    ]


def _stage(claim: AuthenticatedDomain, *, has_step: bool) -> str:
    if is_rotating(claim):
        return "rotating" if has_step else "waiting"
    return "current"


def _ask_all(plane: ControlPlane, now: datetime, *, older_than: timedelta, is_urgent: bool) -> int:
    """Ask for every domain that has older keys and has not been asked for; tell how far it is."""
    asked = 0
    for claim in _all(plane):
        is_old = any(now - key.created_at >= older_than for key in claim.signing_keys)
        if claim.state is DomainState.VERIFIED and claim.is_automatic and is_old and not is_rotating(claim):
            _ask(plane, claim, now, is_urgent=is_urgent)
            asked += 1
            if asked % _PROGRESS_EVERY == 0:
                say(f"{asked} domains so far")
    return asked


def _ask(plane: ControlPlane, claim: AuthenticatedDomain, now: datetime, *, is_urgent: bool) -> None:
    plane.domains.change(
        claim.account_id, claim.id, lambda present: ask_for_rotation(present, now, is_urgent=is_urgent)
    )


def _all(plane: ControlPlane) -> Iterator[AuthenticatedDomain]:
    after = UNNUMBERED
    while page := plane.domains.list_kept(after, _PAGE):
        yield from page
        after = page[-1].id
