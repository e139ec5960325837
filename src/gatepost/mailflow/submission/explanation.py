"""Why a submission would be taken or refused, step by step, by the very checks that the door makes.

Nothing is decided here: each step is the answer of the function that decides at the door, put beside the others. What
is not known of a message (its content, its size) is not judged.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gatepost.mailflow.submission.policy import align, decide_recipient
from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.standards.address import Mailbox
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.senders import alignment
from gatepost.tenancy.senders.alignment import AllowedBy, VerifiedDomains


class Check(Enum):
    """What is checked, in the order in which the door does."""

    KEY = "key"
    PEER = "address it is used from"
    SCOPE = "scope"
    ACCOUNT = "account"
    CREDITS = "credits"
    RECIPIENT = "recipient"
    REVERSE_PATH = "envelope sender"
    AUTHOR = "From"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check and its answer.

    Attributes:
        decision: None where it was not reached, or decides nothing.
        detail: The rule that answered, and by what, in words.
    """

    check: Check
    decision: Decision | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is known of the message."""

    author: Mailbox
    reverse_path: Mailbox | None
    forward_path: Mailbox | None = None


_ACCESS_CHECKS: Final = {
    Check.KEY: {AccessDenial.KEY_NOT_VALID, AccessDenial.BAD_CREDENTIAL},
    Check.PEER: {AccessDenial.NETWORK_NOT_ALLOWED},
    Check.SCOPE: {AccessDenial.SCOPE_MISSING},
    Check.ACCOUNT: {AccessDenial.ACCOUNT_NOT_ACTIVE, AccessDenial.ACCOUNT_UNDER_REVIEW},
    Check.CREDITS: {AccessDenial.CREDITS_EXCEEDED},
}


def is_allowed(steps: Sequence[Step]) -> bool:
    """Say whether no step refuses."""
    return not any(isinstance(step.decision, Deny) for step in steps)


def explain_access(decision: Principal | Decision, checks: Sequence[Check]) -> list[Step]:
    """Say at which of these checks the rights that were looked up anew end, if they do.

    Args:
        decision: What ``CurrentRights.recheck`` says, or whatever decides in its place.
        checks: Those that it makes, of the first five, in this order.
    """
    if not isinstance(decision, Deny):
        return [Step(check=check, decision=ALLOW, detail="") for check in checks]
    steps: list[Step] = []
    is_reached = True
    for check in checks:
        if not is_reached:
            steps.append(Step(check=check, decision=None, detail="not reached"))
        elif decision.reason in _ACCESS_CHECKS[check]:
            is_reached = False
            steps.append(Step(check=check, decision=decision, detail=decision.reason.value))
        else:
            steps.append(Step(check=check, decision=ALLOW, detail=""))
    if is_reached:
        # A reason that none of these checks knows must not read as a yes.
        steps.append(Step(check=Check.KEY, decision=decision, detail=str(decision.reason.value)))
    return steps


def explain_names(
    principal: Principal,
    offer: Offer,
    domains: VerifiedDomains,
    *,
    own_host_names: Collection[str],
    signing_domain: str | None,
) -> list[Step]:
    """Say which rule allows or refuses each name of the envelope and the From, and who signs."""
    steps = []
    if offer.forward_path is not None:
        routable = decide_recipient(offer.forward_path, own_host_names)
        steps.append(_step(Check.RECIPIENT, routable, str(offer.forward_path)))
    reverse_path = alignment.decide_reverse_path(principal.account_id, offer.reverse_path, domains=domains)
    steps.append(_step(Check.REVERSE_PATH, reverse_path, f"<{offer.reverse_path or ''}>"))
    author = align(principal, offer.author, domains)
    steps.append(_step(Check.AUTHOR, author, str(offer.author)))
    if author:
        steps.append(_explain_signature(principal, offer.author, domains, signing_domain))
    return steps


def _explain_signature(
    principal: Principal, author: Mailbox, domains: VerifiedDomains, signing_domain: str | None
) -> Step:
    signer = domains.find_signer(principal.account_id, author.domain, signing_domain)
    if signer is None:
        text = "not signed: no verified domain covers the address, and senders.signing_domain is not set"
    else:
        text = f"DKIM with d={signer.name}"
    return Step(check=Check.SIGNATURE, decision=None, detail=text)


def _step(check: Check, decision: Decision, what: str) -> Step:
    if isinstance(decision, AllowedBy):
        by = f" {decision.name}" if decision.name else ""
        return Step(check=check, decision=decision, detail=f"{what}: {decision.rule.value}{by}")
    return Step(check=check, decision=decision, detail=f"{what}: {decision.reason.value}" if not decision else what)
