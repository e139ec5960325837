"""``gatepost domain``: the domains in whose name accounts send."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from gatepost.cli.arguments import get_account, read_domain
from gatepost.cli.certainty import settle_domain
from gatepost.cli.context import CommandContext
from gatepost.cli.domain_review import approve, held, reject, state_of, word_review
from gatepost.cli.output import instant, print_fields, print_json, print_table, say
from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN
from gatepost.runtime.compose_senders import compose_guard
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.advice import Advice, Severity
from gatepost.tenancy.senders.claim import HeldForReview, NotClaimable, Wish, claim_domain, prove_domain
from gatepost.tenancy.senders.dns_check import Finding, is_proved
from gatepost.tenancy.senders.dns_plan import PlannedRecord, Relay, plan_records
from gatepost.tenancy.senders.doctor import advise
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainTaken
from gatepost.tenancy.senders.posture import USUAL_SELECTORS, examine, examine_all

_account = click.option("--account", required=True, help="The account's name or id.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def domain() -> None:
    """Add and verify the domains in whose name an account sends."""


@domain.command()
@click.argument("name", metavar="DOMAIN")
@_account
@click.option(
    "--automatic/--manual",
    default=None,
    help="Three CNAMEs into our own zone, where keys are rotated, or the records themselves. Automatic if [dns] zone "
    "is set.",
)
@click.option("--return-path", default="", metavar="LABEL", help="Bounces go to LABEL.DOMAIN; drawn if left out.")
@click.option("--selector", default="", help="Three letters or digits, to authenticate a domain once more.")
@click.option("--default", "is_default", is_flag=True, help="Sign with it where no domain of the account matches.")
@click.option("--address", "addresses", multiple=True, help="An address for an SPF record of its own; may be repeated.")
@_json
@click.pass_obj
def add(
    context: CommandContext, /, *, name: str, account: str, as_json: bool, automatic: bool | None, **more: Any
) -> None:
    """Claim a domain for an account: makes its DKIM keys and prints the DNS records to publish."""
    name = read_domain(name)
    wish = _wish(context, automatic=automatic, **more)
    with context.control_plane() as plane:
        holder = get_account(plane, account)
        try:
            claim = claim_domain(
                plane.domains,
                holder.id,
                name,
                keyring=plane.keyring,
                entropy=plane.entropy,
                now=plane.clock.now(),
                wish=wish,
            )
        except NotClaimable as error:
            raise click.ClickException(str(error)) from error
        except DomainTaken as error:
            raise click.ClickException(
                f"account {holder.name} has {name} already: see `gatepost domain show --account {holder.name} {name}`; "
                "to authenticate it once more, give another --selector and --return-path"
            ) from error
    _print_records(_plan(context, claim), as_json=as_json)
    say(f"Publish these records, then run `gatepost domain verify --account {holder.name} {name}`.")


@domain.command(name="list")
@_account
@_json
@click.pass_obj
def list_(context: CommandContext, *, account: str, as_json: bool) -> None:
    """List an account's domains."""
    with context.control_plane() as plane:
        claims = plane.domains.list_all(get_account(plane, account).id)
        states = [state_of(plane, each) for each in claims]
    if as_json:
        print_json([{**_fields(each), "state": state} for each, state in zip(claims, states, strict=True)])
    elif claims:
        rows = [
            [each.name, state, instant(each.verified_at) or "-"] for each, state in zip(claims, states, strict=True)
        ]
        print_table([["DOMAIN", "STATE", "VERIFIED"], *rows])
    else:
        say(f"Account {account} has no domains: `gatepost domain add --account {account} DOMAIN`.")


@domain.command()
@click.argument("name", metavar="DOMAIN")
@_account
@_json
@click.pass_obj
def show(context: CommandContext, *, name: str, account: str, as_json: bool) -> None:
    """Show one domain and the DNS records that it needs."""
    with context.control_plane() as plane:
        claim = _get_claim(plane, get_account(plane, account), read_domain(name))
        fields = {**_fields(claim), "state": state_of(plane, claim)}
    records = _plan(context, claim)
    if as_json:
        print_json({**fields, "records": [_record(each) for each in records]})
    else:
        print_fields(fields)
        click.echo()
        _print_records(records, as_json=False)


@domain.command()
@click.argument("name", metavar="DOMAIN")
@_account
@click.pass_obj
def verify(context: CommandContext, *, name: str, account: str) -> None:
    """Ask the DNS whether the records are there; if those that matter are, the account may send as the domain."""
    with context.control_plane() as plane:
        holder = get_account(plane, account)
        claim = _get_claim(plane, holder, read_domain(name))
        try:
            findings = asyncio.run(_prove(context, plane, claim))
        except DomainTaken as error:
            raise click.ClickException(
                f"another account has verified {claim.name}: only one can have it. It must be removed there first"
            ) from error
        except HeldForReview as error:
            raise click.ClickException(word_review(error.review, holder)) from error
        except LookupError as error:
            raise click.ClickException(f"{claim.name} has been removed meanwhile") from error
        if is_proved(findings) and claim.failing_since is not None:
            _let_go_on(context, plane, claim)
    _print_findings(findings)
    if not is_proved(findings):
        raise click.ClickException(
            f"{claim.name} is not verified: publish what is missing above and ask again; a record may take as long to "
            "be seen as the old answer's time to live"
        )
    say(f"{claim.name} is verified: account {holder.name} may send as it.")


@domain.command()
@click.argument("name", metavar="DOMAIN")
@_account
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(context: CommandContext, *, name: str, account: str, yes: bool) -> None:
    """Give up a domain and destroy its DKIM keys.

    If it was verified, what is queued in its name, or in that of a domain below it, is held where the account has no
    other right to that name; mail in other names goes on. See `gatepost queue list --sender DOMAIN`.
    """
    with context.control_plane() as plane:
        holder = get_account(plane, account)
        claim = _get_claim(plane, holder, read_domain(name))
        if not yes:
            click.confirm(f"Remove {claim.name} from account {holder.name} and destroy its keys?", abort=True, err=True)
        if claim.verified_at is not None:
            # The claim is forgotten last: a command that could not be certain finds it, and finishes, when given again.
            plane.domains.withdraw(holder.id, claim.id)
            settle_domain(
                context,
                plane,
                claim,
                done=f"Account {holder.name} may no longer send as {claim.name}",
                reason="domain removed",
            )
        plane.domains.remove(holder.id, claim.id)
    say(f"Removed {claim.name} from account {holder.name}; its DKIM keys are destroyed.")


@domain.command()
@click.argument("name", metavar="DOMAIN")
@click.option("--selector", "selectors", multiple=True, help="A DKIM selector to look for; may be given again.")
@click.option("--account", default="", help="Look for the selectors of this account's claim to the domain.")
@_json
@click.pass_obj
def doctor(context: CommandContext, *, name: str, selectors: tuple[str, ...], account: str, as_json: bool) -> None:
    """Explain what the DNS says about a domain's mail, worst first, and which record mends it.

    Any domain can be asked about. Without a selector those that many services use are tried. The exit status is 1
    if something is broken.
    """
    name = read_domain(name)
    with context.control_plane() as plane:
        now = plane.clock.now()
        claim = _get_claim(plane, get_account(plane, account), name) if account else None
    if claim is not None:
        selectors = (*selectors, *(key.selector for key in claim.dkim_keys))
    examination = examine(
        name,
        selectors=selectors or USUAL_SELECTORS,
        sending_networks=context.settings.senders.sending_networks,
        host_name=context.settings.host_name,
        at=now,
    )
    resolver = context.resolver()
    advices = advise(asyncio.run(examine_all(examination, resolver, context.policy_fetcher(resolver))))
    if as_json:
        print_json([_advice(each) for each in advices])
    else:
        for each in advices:
            click.echo(f"{each.severity.name.lower():8}{each.subject:8}{each.text}")
            if each.mend:
                click.echo(f"{'':16}publish: {each.mend}")
    if any(each.severity is Severity.BROKEN for each in advices):
        raise click.exceptions.Exit(1)


for _command in (held, approve, reject):
    domain.add_command(_command)


def _let_go_on(context: CommandContext, plane: ControlPlane, claim: AuthenticatedDomain) -> None:
    """Let go on what waited for the records of a claim; noted last, so that a command that failed does it again."""
    settle_domain(
        context,
        plane,
        claim,
        done=f"The records of {claim.name} are back",
        reason=HELD_UNTIL_RETURN,
        moved="released",
    )
    plane.domains.change(claim.account_id, claim.id, lambda present: replace(present, failing_since=None))


async def _prove(context: CommandContext, plane: ControlPlane, claim: AuthenticatedDomain) -> tuple[Finding, ...]:
    return await prove_domain(
        plane.domains,
        claim,
        context.resolver(),
        guard=compose_guard(plane, context.settings.host_name, context.settings.senders.protected_names),
        relay=_relay(context),
        now=plane.clock.now(),
    )


def _relay(context: CommandContext) -> Relay:
    settings = context.settings
    return Relay(
        host_name=settings.host_name,
        sending_networks=settings.senders.sending_networks,
        zone=settings.dns.zone.lower(),
    )


def _wish(
    context: CommandContext,
    *,
    automatic: bool | None,
    return_path: str,
    selector: str,
    is_default: bool,
    addresses: tuple[str, ...],
) -> Wish:
    zone = context.settings.dns.zone
    if automatic and not zone:
        raise click.UsageError("automatic security needs a zone of our own: set [dns] zone, or give --manual")
    return Wish(
        is_automatic=bool(zone) if automatic is None else automatic,
        return_path=return_path.lower(),
        selector=selector.lower(),
        is_default=is_default,
        custom_spf=bool(addresses),
        addresses=addresses,
    )


def _plan(context: CommandContext, claim: AuthenticatedDomain) -> tuple[PlannedRecord, ...]:
    return plan_records(claim, _relay(context))


def _print_records(records: Sequence[PlannedRecord], *, as_json: bool) -> None:
    if as_json:
        print_json([_record(each) for each in records])
        return
    for each in records:
        need = "required" if each.is_required else "recommended"
        click.echo(f"; {each.purpose.value}, {need}. {each.advice}".rstrip())
        click.echo(each.zone_line)


def _print_findings(findings: Sequence[Finding]) -> None:
    for each in findings:
        need = "" if each.record.is_required else " (recommended only)"
        problem = f": {each.problem}" if each.problem else ""
        click.echo(f"{each.state.value:8}{each.record.purpose.value:6}{each.record.name}{need}{problem}")


def _get_claim(plane: ControlPlane, holder: Account, name: str) -> AuthenticatedDomain:
    claim = plane.domains.find(holder.id, name)
    if claim is None:
        raise click.ClickException(
            f"account {holder.name} has no domain {name}: see `gatepost domain list --account {holder.name}`, or "
            f"`gatepost domain add --account {holder.name} {name}`"
        )
    return claim


def _fields(claim: AuthenticatedDomain) -> dict[str, str | list[str] | None]:
    return {
        "name": claim.name,
        "account_id": claim.account_id,
        "state": claim.state.value,
        "security": "automatic" if claim.is_automatic else "manual",
        "selectors": [key.selector for key in claim.dkim_keys],
        "created_at": instant(claim.created_at),
        "verified_at": instant(claim.verified_at),
    }


def _advice(advice: Advice) -> dict[str, str]:
    return {
        "severity": advice.severity.name.lower(),
        "subject": advice.subject,
        "text": advice.text,
        "mend": advice.mend,
    }


def _record(planned: PlannedRecord) -> dict[str, object]:
    return {
        "purpose": planned.purpose.value,
        "type": planned.type.value,
        "name": planned.name,
        "value": planned.value,
        "is_required": planned.is_required,
        "advice": planned.advice,
    }
