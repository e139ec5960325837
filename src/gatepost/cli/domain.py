"""``gatepost domain``: domains an account sends from."""

import asyncio

import click

from gatepost.cli.arguments import get_account, read_domain
from gatepost.cli.certainty import settle
from gatepost.cli.context import CommandContext
from gatepost.cli.output import ReportingGroup, instant, print_fields, print_json, print_table, say
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.claim import NotClaimable, claim_domain, prove_domain
from gatepost.tenancy.senders.dns_check import Finding, FindingState, is_proved
from gatepost.tenancy.senders.dns_plan import PlannedRecord, plan_records
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState, DomainTaken

_ACCOUNT = click.option("--account", required=True, help="The account's name or id.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=ReportingGroup)
def domain() -> None:
    """Add and verify the domains that accounts send from."""


@domain.command()
@click.argument("name")
@_ACCOUNT
@_JSON
@click.pass_obj
def add(context: CommandContext, name: str, account: str, as_json: bool) -> None:
    """Claim a domain: make its DKIM keys and print the DNS records to publish."""
    name = read_domain(name)
    with context.control_plane() as plane:
        holder = get_account(plane, account)
        try:
            claim = claim_domain(
                plane.domains, holder.id, name, keyring=plane.keyring, entropy=plane.entropy, now=plane.clock.now()
            )
        except NotClaimable as error:
            raise click.ClickException(str(error)) from error
        except DomainTaken as error:
            raise click.ClickException(
                f"account {holder.name} has {name} already; `gatepost domain show {name}` prints its records"
            ) from error
    _print_plan(_plan(context, claim), as_json=as_json)
    say(f"Publish these, then: gatepost domain verify {name} --account {holder.name}")


@domain.command(name="list")
@_ACCOUNT
@_JSON
@click.pass_obj
def list_(context: CommandContext, account: str, as_json: bool) -> None:
    """List an account's domains."""
    with context.control_plane() as plane:
        claims = plane.domains.list_all(get_account(plane, account).id)
    if as_json:
        print_json([_fields(claim) for claim in claims])
    elif claims:
        rows = [[claim.name, claim.state.value, instant(claim.verified_at) or ""] for claim in claims]
        print_table([["DOMAIN", "STATE", "VERIFIED"], *rows])
    else:
        say(f"Account {account} has no domains: `gatepost domain add NAME --account {account}`.")


@domain.command()
@click.argument("name")
@_ACCOUNT
@_JSON
@click.pass_obj
def show(context: CommandContext, name: str, account: str, as_json: bool) -> None:
    """Show a domain and the DNS records it needs."""
    with context.control_plane() as plane:
        _, claim = _get_claim(plane, name, account)
    plan = _plan(context, claim)
    if as_json:
        print_json({**_fields(claim), "records": [_record_fields(record) for record in plan]})
        return
    print_fields({**_fields(claim)})
    _print_plan(plan, as_json=False)


@domain.command()
@click.argument("name")
@_ACCOUNT
@_JSON
@click.pass_context
def verify(ctx: click.Context, name: str, account: str, as_json: bool) -> None:
    """Ask the DNS; when the records are right, the account may send from the domain. Exits with 1 if they are not."""
    context: CommandContext = ctx.obj
    with context.control_plane() as plane:
        holder, claim = _get_claim(plane, name, account)
        try:
            findings = asyncio.run(_prove(context, plane, claim))
        except DomainTaken as error:
            raise click.ClickException(
                f"the records are right, but another account has verified {claim.name}: it must remove it first"
            ) from error
        _print_findings(findings, as_json=as_json)
        if not is_proved(findings):
            say(f"{claim.name} is not verified{_standing(claim)}.")
            ctx.exit(1)
    settle(context, done=f"{claim.name} is verified; account {holder.name} may send from it and its sub-domains")


@domain.command()
@click.argument("name")
@_ACCOUNT
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(context: CommandContext, name: str, account: str, yes: bool) -> None:
    """Give a domain up: nothing is taken from it any more, and its DKIM keys are destroyed."""
    with context.control_plane() as plane:
        holder, claim = _get_claim(plane, name, account)
        if not yes:
            click.confirm(f"Remove {claim.name} and destroy its DKIM keys?", abort=True, err=True)
        plane.domains.remove(holder.id, claim.name)
    say("What is queued in its name cannot be signed any more: it is deferred, and expires unless the domain returns.")
    settle(context, done=f"{claim.name} is removed from account {holder.name}")


def _get_claim(plane: ControlPlane, name: str, account: str) -> tuple[Account, AuthenticatedDomain]:
    holder = get_account(plane, account)
    claim = plane.domains.find(holder.id, read_domain(name))
    if claim is None:
        raise click.ClickException(
            f"account {holder.name} has no domain {name}: `gatepost domain add {name} --account {holder.name}`"
        )
    return holder, claim


def _plan(context: CommandContext, claim: AuthenticatedDomain) -> tuple[PlannedRecord, ...]:
    settings = context.settings
    return plan_records(claim, sending_networks=settings.senders.sending_networks, host_name=settings.host_name)


async def _prove(context: CommandContext, plane: ControlPlane, claim: AuthenticatedDomain) -> tuple[Finding, ...]:
    settings = context.settings
    return await prove_domain(
        plane.domains,
        claim,
        context.resolver(),
        sending_networks=settings.senders.sending_networks,
        host_name=settings.host_name,
        now=plane.clock.now(),
    )


def _standing(claim: AuthenticatedDomain) -> str:
    return " any more by these records, but stays so until removed" if claim.state is DomainState.VERIFIED else ""


def _print_plan(plan: tuple[PlannedRecord, ...], *, as_json: bool) -> None:
    if as_json:
        print_json([_record_fields(record) for record in plan])
        return
    for record in plan:
        click.echo(record.zone_line)
        if record.advice:
            say(f"; {record.purpose.value}: {record.advice}")


def _print_findings(findings: tuple[Finding, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {**_record_fields(finding.record), "state": finding.state.value, "problem": finding.problem}
                for finding in findings
            ]
        )
        return
    for finding in findings:
        mark = "ok  " if finding.state is FindingState.VALID else "FAIL" if finding.record.is_required else "note"
        click.echo(f"{mark} {finding.record.purpose.value:5} {finding.record.name}")
        if finding.problem:
            click.echo(f"           {finding.problem}")


def _record_fields(record: PlannedRecord) -> dict[str, str | bool]:
    return {
        "purpose": record.purpose.value,
        "name": record.name,
        "type": "TXT",
        "value": record.value,
        "required": record.is_required,
        "zone_line": record.zone_line,
    }


def _fields(claim: AuthenticatedDomain) -> dict[str, str | list[str] | None]:
    return {
        "name": claim.name,
        "account_id": claim.account_id,
        "state": claim.state.value,
        "selectors": [key.selector for key in claim.dkim_keys],
        "created_at": instant(claim.created_at),
        "verified_at": instant(claim.verified_at),
    }
