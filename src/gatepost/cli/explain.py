"""``gatepost explain``: may this key, or this account, send as that address, and by which rule."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import click

from gatepost.cli.arguments import get_account, get_key
from gatepost.cli.context import CommandContext
from gatepost.cli.output import print_json, print_table, say
from gatepost.mailflow.submission.explanation import Check, Offer, Step, explain_access, explain_names, is_allowed
from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.standards.address import AddressError, Mailbox, parse_mailbox
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.authorize import decide_by_state
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.public_suffix import PublicSuffixes
from gatepost.tenancy.senders.sender_advice import SenderAdvice

EXIT_NO = 1

_KEY_CHECKS = (Check.KEY, Check.PEER, Check.SCOPE, Check.ACCOUNT, Check.CREDITS)
_ANYWHERE = ip_address("127.0.0.1")


@click.command()
@click.option("--key", "key_id", metavar="KEY", help="The id of the key; its secret is not needed.")
@click.option("--account", help="The account, for a key without restrictions; or the one the key must belong to.")
@click.option("--from", "author", required=True, help="The address in the From field.")
@click.option("--envelope-from", help='The address of MAIL FROM; "" for the null one. Otherwise that of --from.')
@click.option("--peer", help="The IP address the client connects from.")
@click.option("--to", help="A recipient.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def explain(
    ctx: click.Context,
    *,
    key_id: str | None,
    account: str | None,
    author: str,
    envelope_from: str | None,
    peer: str | None,
    to: str | None,
    as_json: bool,
) -> None:
    """Say whether a message would be taken, step by step, by the checks of the door itself.

    Exit status 0 for yes, 1 for no. Nothing is sent, counted or changed.
    """
    if key_id is None and account is None:
        raise click.UsageError("say who sends: --key or --account")
    context: CommandContext = ctx.obj
    address = _read_mailbox(author, "--from")
    offer = Offer(
        author=address,
        reverse_path=address if envelope_from is None else _read_reverse_path(envelope_from),
        forward_path=None if to is None else _read_mailbox(to, "--to"),
    )
    with context.control_plane() as plane:
        if key_id is not None:
            steps, principal = _explain_key(plane, get_key(plane, key_id, account), _read_peer(peer))
        else:
            steps, principal = _explain_account(get_account(plane, account or ""))
        verified = VerifiedDomains(plane.domains, PublicSuffixes(), plane.senders)
        steps += explain_names(
            principal,
            offer,
            verified,
            own_host_names=frozenset({context.settings.host_name.lower()}),
            signing_domain=context.settings.senders.signing_domain,
            advisor=SenderAdvice(
                accounts=plane.accounts,
                domains=plane.domains,
                senders=plane.senders,
                reviews=plane.reviews,
                verified=verified,
            ),
        )
    _print(steps, as_json=as_json)
    if not is_allowed(steps):
        ctx.exit(EXIT_NO)


def _explain_key(
    plane: ControlPlane, key: ApiKey, peer: IPv4Address | IPv6Address | None
) -> tuple[list[Step], Principal]:
    holder = plane.accounts.find(key.account_id)
    assert holder is not None, "a key has an account"
    networks = key.grant.allowed_networks
    assumed = networks[0].network_address if networks else _ANYWHERE
    known = _principal(holder, key.id, allowed_authors=key.grant.allowed_authors)
    decision = plane.principals.recheck(known, assumed if peer is None else peer)
    steps = explain_access(decision, _KEY_CHECKS)
    if peer is None and networks:
        said = f"not judged: taken as {assumed}, from where it may be used; say --peer"
        steps = [
            Step(check=step.check, decision=step.decision, detail=said) if step.check is Check.PEER else step
            for step in steps
        ]
    return steps, known if isinstance(decision, Deny) else decision


def _explain_account(holder: Account) -> tuple[list[Step], Principal]:
    decision = decide_by_state(holder.effective_state, MAIL_SEND)
    return explain_access(decision, (Check.ACCOUNT,)), _principal(holder, KeyId(""), allowed_authors=())


def _principal(holder: Account, key_id: KeyId, *, allowed_authors: tuple[str, ...]) -> Principal:
    return Principal(
        account_id=AccountId(holder.id),
        account_state=holder.effective_state,
        key_id=key_id,
        scopes=frozenset({MAIL_SEND}),
        allowed_authors=allowed_authors,
    )


def _print(steps: list[Step], *, as_json: bool) -> None:
    allowed = is_allowed(steps)
    if as_json:
        print_json(
            {
                "is_allowed": allowed,
                "steps": [
                    {"check": step.check.value, "outcome": _outcome(step), "detail": step.detail, "mend": step.mend}
                    for step in steps
                ],
            }
        )
        return
    print_table([["CHECK", "ANSWER", "WHY"], *[[step.check.value, _outcome(step), step.detail] for step in steps]])
    say("Yes: such a message would be taken." if allowed else "No: such a message would be refused.")
    for mend in dict.fromkeys(step.mend for step in steps if step.mend):
        say(f"To mend it: {mend}.")


def _outcome(step: Step) -> str:
    if step.decision is None:
        return "-"
    return "yes" if step.decision else "no"


def _read_mailbox(text: str, option: str) -> Mailbox:
    try:
        return parse_mailbox(text.encode(), allow_utf8=True)
    except AddressError as error:
        raise click.BadParameter(f"{text!r}: {error}; write name@example.com", param_hint=option) from error


def _read_reverse_path(text: str) -> Mailbox | None:
    return _read_mailbox(text, "--envelope-from") if text not in {"", "<>"} else None


def _read_peer(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        return None if text is None else ip_address(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no IP address; write 192.0.2.7", param_hint="--peer") from error
