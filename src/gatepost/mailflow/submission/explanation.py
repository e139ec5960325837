"""Why a submission would be taken or refused, step by step, by the very checks that the door makes.

Nothing is decided here: each step is the answer of the function that decides at the door, put beside the others. What
is not known of a message (its content, its size) is not judged.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

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
        mend: What to do where the answer is no.
    """

    check: Check
    decision: Decision | None
    detail: str
    mend: str = ""


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


_ACCESS_MENDS: Final = {
    AccessDenial.KEY_NOT_VALID: "it is revoked or expired, or its account is gone: `gatepost key create` makes another",
    AccessDenial.BAD_CREDENTIAL: "`gatepost key create` makes another",
    AccessDenial.NETWORK_NOT_ALLOWED: "use it from where it may be used (`gatepost key list`), or make another key",
    AccessDenial.SCOPE_MISSING: "scopes cannot be added: `gatepost key create --scope mail.send` makes another key",
    AccessDenial.ACCOUNT_NOT_ACTIVE: "see `gatepost account list`; `gatepost account resume` ends a suspension",
    AccessDenial.ACCOUNT_UNDER_REVIEW: "`gatepost account resume` ends the review",
    AccessDenial.CREDITS_EXCEEDED: "`gatepost account credits` gives more, or wait for the next period",
}


class SenderAdvisor(Protocol):
    """Knows what would let an account use an address (``tenancy.senders.sender_advice``)."""

    def advise(self, principal: Principal, mailbox: Mailbox, denial: Deny) -> str:
        """Say what to do about a refusal of the author rule, for the operator."""
        ...


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
            steps.append(
                Step(check=check, decision=decision, detail=decision.reason.value, mend=_ACCESS_MENDS[decision.reason])
            )
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
    advisor: SenderAdvisor,
) -> list[Step]:
    """Say which rule allows or refuses each name of the envelope and the From, and who signs."""
    steps = []
    if offer.forward_path is not None:
        routable = decide_recipient(offer.forward_path, own_host_names)
        mend = "" if routable else "write a recipient in a domain of the public DNS, other than this relay's own name"
        steps.append(_step(Check.RECIPIENT, routable, str(offer.forward_path), mend))
    reverse_path = alignment.decide_reverse_path(principal.account_id, offer.reverse_path, domains=domains)
    mend = ""
    if isinstance(reverse_path, Deny) and offer.reverse_path is not None:
        mend = advisor.advise(principal, offer.reverse_path, reverse_path)
    steps.append(_step(Check.REVERSE_PATH, reverse_path, f"<{offer.reverse_path or ''}>", mend))
    author = align(principal, offer.author, domains)
    mend = advisor.advise(principal, offer.author, author) if isinstance(author, Deny) else ""
    steps.append(_step(Check.AUTHOR, author, str(offer.author), mend))
    if author:
        steps.append(_explain_signature(principal, offer.author, domains, signing_domain))
    return steps


def _explain_signature(
    principal: Principal, author: Mailbox, domains: VerifiedDomains, signing_domain: str | None
) -> Step:
    signer = domains.find_signer(principal.account_id, author.domain, signing_domain)
    if signer is None:
        text = (
            "not signed: no verified domain covers the address, the account has no default domain, and "
            "senders.signing_domain is not set"
        )
    else:
        text = f"DKIM with d={signer.name}"
        if domains.find_deciding(author.domain) is None:
            is_theirs = signer.may_be_used_by(principal.account_id)
            whose = "the account's default domain" if is_theirs else "the service's own domain"
            text += f", {whose}: DMARC does not pass for {author.domain}"
    return Step(check=Check.SIGNATURE, decision=None, detail=text)


def _step(check: Check, decision: Decision, what: str, mend: str = "") -> Step:
    if isinstance(decision, AllowedBy):
        by = f" {decision.name}" if decision.name else ""
        return Step(check=check, decision=decision, detail=f"{what}: {decision.rule.value}{by}")
    detail = f"{what}: {decision.reason.value}" if not decision else what
    return Step(check=check, decision=decision, detail=detail, mend=mend)
