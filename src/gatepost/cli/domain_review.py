"""``gatepost domain held``, ``approve``, ``reject``: what the operator says of names that look like others'."""

import click

from gatepost.cli.arguments import get_account, read_domain
from gatepost.cli.context import CommandContext
from gatepost.cli.output import instant, print_json, print_table, say
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.review import DomainReview, ReviewState

_account = click.option("--account", required=True, help="The account's name or id.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@_json
@click.pass_obj
def held(context: CommandContext, *, as_json: bool) -> None:
    """List the domains whose proof is held because their names look like others'."""
    with context.control_plane() as plane:
        reviews = plane.reviews.list_held()
        names = {each.account_id: plane.accounts.find(each.account_id) for each in reviews}
    rows = [
        [each.name, each.looks_like, holder.name if (holder := names[each.account_id]) else each.account_id,
         instant(each.held_at) or "-"]
        for each in reviews
    ]  # fmt: skip
    headings = ["DOMAIN", "LOOKS LIKE", "ACCOUNT", "HELD"]
    if as_json:
        print_json([dict(zip(("name", "looks_like", "account", "held_at"), row, strict=True)) for row in rows])
    elif rows:
        print_table([headings, *rows])
    else:
        say("No domain is held.")


@click.command()
@click.argument("name", metavar="DOMAIN")
@_account
@click.pass_obj
def approve(context: CommandContext, *, name: str, account: str) -> None:
    """Let a domain be verified though its name looks like another's."""
    holder, name = _decide(context, account, name, ReviewState.APPROVED)
    say(f"{name} may be verified: run `gatepost domain verify --account {holder.name} {name}`.")


@click.command()
@click.argument("name", metavar="DOMAIN")
@_account
@click.pass_obj
def reject(context: CommandContext, *, name: str, account: str) -> None:
    """Keep a domain from being verified by that account, also if it is added again."""
    holder, name = _decide(context, account, name, ReviewState.REJECTED)
    say(f"{name} will not be verified for account {holder.name}, unless you approve it.")


def _decide(context: CommandContext, account: str, name: str, state: ReviewState) -> tuple[Account, str]:
    name = read_domain(name)
    with context.control_plane() as plane:
        holder = get_account(plane, account)
        claim = plane.domains.find(holder.id, name)
        if state is ReviewState.REJECTED and claim is not None and claim.state is DomainState.VERIFIED:
            raise click.ClickException(
                f"{name} is verified: take it away with `gatepost domain remove --account {holder.name} {name}` first"
            )
        if not plane.reviews.decide(holder.id, name, state, plane.clock.now()):
            raise click.ClickException(f"{name} of account {holder.name} is not held: see `gatepost domain held`")
    return holder, name


def state_of(plane: ControlPlane, claim: AuthenticatedDomain) -> str:
    """Say where a claim stands; of one that is not verified, what the review says."""
    if claim.state is not DomainState.VERIFIED:
        review = plane.reviews.find(claim.account_id, claim.name)
        if review is not None and review.state is not ReviewState.APPROVED:
            return str(review.state.value)
    return str(claim.state.value)


def word_review(review: DomainReview, holder: Account) -> str:
    """Say why a domain is not verified though the DNS proves it, and what the operator can do."""
    named = f"--account {holder.name} {review.name}"
    if review.state is ReviewState.REJECTED:
        return f"{review.name} was rejected: it looks like {review.looks_like}. `gatepost domain approve {named}`"
    return (
        f"the DNS proves {review.name}, but it looks like {review.looks_like}, so it is held: look at it, then run "
        f"`gatepost domain approve {named}` and verify it again, or `gatepost domain reject {named}`"
    )
