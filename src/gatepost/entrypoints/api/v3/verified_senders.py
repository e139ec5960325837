"""``/v3/verified_senders``: addresses that an account may send as without a domain, each proved by a token.

The token goes to the address; it is taken only from the account that asked for it, with a credential of its own. So a
scanner that follows every link in a letter burns nothing and proves nothing, though the dialect's proof is a GET.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast

from msgspec import UnsetType

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.judged_act import do_judged
from gatepost.entrypoints.api.letters import Letters
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.ports import Callers, RightsChanged
from gatepost.entrypoints.api.problem import FieldError, Problem, invalid, problem
from gatepost.entrypoints.api.v3.verified_sender_bodies import (
    FailingDomains,
    FailingDomainsShown,
    SenderShown,
    SendersShown,
    SenderWanted,
    Steps,
    StepsCompleted,
    describe,
    find_errors,
    read_details,
)
from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import RelayError
from gatepost.primitives.secret import Secret
from gatepost.standards.address import Mailbox, parse_mailbox
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.person import id_of
from gatepost.tenancy.accounts.person_ports import AddressRefused
from gatepost.tenancy.audit.entry import Actor
from gatepost.tenancy.senders.alignment import VerifiedDomains, decide_author
from gatepost.tenancy.senders.author_policy import (
    HARD_FAILURES,
    SOFT_FAILURES,
    AuthorPolicy,
    Failure,
    find_author_policy,
)
from gatepost.tenancy.senders.dns_check import answer_from
from gatepost.tenancy.senders.domain import DomainState
from gatepost.tenancy.senders.ports import DomainStore, Resolver
from gatepost.tenancy.senders.single_sender import MAX_SENDERS, SenderId, SenderState, SingleSender
from gatepost.tenancy.senders.single_sender_proof import Letter, SenderDenial, SenderProofs

MAX_LISTED: Final = 100
_POLICY_TIMEOUT: Final = timedelta(seconds=5)
_MAX_NUMBER: Final = (1 << 31) - 1
#: The dialect names no scopes of their own for these; senders and domains are one subject.
_CREATE, _READ, _UPDATE, _DELETE = (f"whitelabel.{verb}" for verb in ("create", "read", "update", "delete"))


def _refusal(status: int, message: str, error_id: str, at: str | None = None) -> Problem:
    return Problem(status=status, errors=(FieldError(message=message, field=at, error_id=error_id),))


UNKNOWN: Final = _refusal(404, "there is no such sender", "not_found")
_NOT_SENT: Final = problem(
    503, "the letter to that address could not be queued: ask for another one with POST …/resend/{id}"
)
_NEVER_SENT: Final = problem(400, "no mail can be sent to that address: its domain takes none", at="from_email")
_DENIALS: Final = {
    SenderDenial.UNKNOWN: UNKNOWN,
    SenderDenial.EXISTS: _refusal(400, "already exists", "duplicate", "from_email"),
    SenderDenial.TOO_MANY: _refusal(
        403, f"an account has at most {MAX_SENDERS} single senders: authenticate the domain", "limit"
    ),
    SenderDenial.VERIFIED_ALREADY: _refusal(400, "the sender is verified already", "verified"),
    SenderDenial.TOKEN_NOT_VALID: _refusal(404, "the token is unknown, used already, or expired", "not_found"),
}

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSenders:
    """Manages the single senders of the caller's account.

    Attributes:
        proofs: Reads.
        proofs_as: Acts, on the record as that actor's.
        domains: What the account has verified.
        rule: The author rule, as the door judges by it.
        letters: Writes to the address.
        resolver: Asks for DMARC policies.
    """

    callers: Callers
    proofs: SenderProofs
    proofs_as: Callable[[Actor], SenderProofs]
    domains: DomainStore
    rule: VerifiedDomains
    letters: Letters
    resolver: Resolver
    rights_changed: RightsChanged
    acts: ActsInProgress
    clock: Clock

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        many = "/v3/verified_senders"
        one = many + "/{sender_id}"
        return (
            Operation(
                method="GET", path=many, name="ListVerifiedSenders", summary="List the account's single senders.",
                scope=_READ, run=self.list_all, gives={200: SendersShown}, refuses=(400,),
                query={
                    "limit": f"How many to return at most: {MAX_LISTED}.", "lastSeenID": "Only those after that id.",
                    "id": "Only the one of that id.",
                },
            ),
            Operation(
                method="POST", path=many, name="CreateVerifiedSender",
                summary="Add a single sender and send a token to its address.", scope=_CREATE, run=self.create,
                takes=SenderWanted, gives={201: SenderShown},
            ),
            Operation(
                method="GET", path=f"{many}/domains", name="ListVerifiedSendersDomains",
                summary="List mailbox providers whose DMARC policy is against single senders.", scope=_READ,
                run=self.list_domains, gives={200: FailingDomainsShown},
            ),
            Operation(
                method="GET", path=f"{many}/steps_completed", name="ListVerifiedSendersStepsCompleted",
                summary="Say whether the account has proved an address, and a domain.", scope=_READ,
                run=self.list_steps, gives={200: StepsCompleted},
            ),
            Operation(
                method="POST", path=many + "/resend/{sender_id}", name="ResendVerifiedSender",
                summary="Send another token; the one before is worthless.", scope=_UPDATE, run=self.resend,
                gives={204: None}, refuses=(400, 404, 429),
            ),
            Operation(
                method="GET", path=many + "/verify/{sender_token}", name="VerifySender",
                summary="Prove an address with the token that was sent to it; once.", scope=_UPDATE,
                run=self.verify, gives={204: None}, refuses=(404,),
            ),
            Operation(
                method="PATCH", path=one, name="UpdateVerifiedSender",
                summary="Change a single sender; another address must be proved anew.", scope=_UPDATE,
                run=self.change, takes=SenderWanted, gives={200: SenderShown}, refuses=(404, 429),
            ),
            Operation(
                method="DELETE", path=one, name="DeleteVerifiedSender",
                summary="Remove a single sender, on every worker; what the account has queued is held.",
                scope=_DELETE, run=self.remove, gives={204: None}, refuses=(404,),
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer | Problem:
        """List senders, in the order in which they were added."""
        numbers = {}
        for name, otherwise in (("limit", MAX_LISTED), ("lastSeenID", 0), ("id", 0)):
            text = call.parameters.get(name) or str(otherwise)
            if (number := _read_number(text)) is None or (name == "limit" and number == 0):
                return _refusal(400, f"{name} must be a number", "invalid", name)
            numbers[name] = number
        if wanted := numbers["id"]:
            one = await asyncio.to_thread(self.proofs.store.find, call.account_id, SenderId(wanted))
            found = [] if one is None else [one]
        else:
            limit, after = min(numbers["limit"], MAX_LISTED), SenderId(numbers["lastSeenID"])
            found = list(await asyncio.to_thread(self.proofs.store.list_after, call.account_id, after, limit))
        return Answer(status=200, body=SendersShown(results=tuple([self._describe(each) for each in found])))

    async def create(self, call: Call) -> Answer | Problem:
        """Add a sender; its address may be used once it is proved, or at once where its domain is the account's."""
        wanted = cast("SenderWanted", call.body)
        if errors := list(find_errors(wanted, is_new=True)):
            return invalid(errors)
        mailbox, now = _read_mailbox(wanted), self.clock.now()

        def act() -> Letter | Deny:
            return self.proofs_as(call.actor).add(call.account_id, mailbox, read_details(wanted), now)

        made = await do_judged(self.acts, self.callers, call, scope=_CREATE, act=act)
        return await self._answer_letter(made, status=201)

    async def change(self, call: Call) -> Answer | Problem:
        """Change what a sender says about itself; and its address, which then is another sender's in all but number."""
        wanted, number = cast("SenderWanted", call.body), _number(call)
        if errors := list(find_errors(wanted, is_new=False)):
            return invalid(errors)
        present = await asyncio.to_thread(self.proofs.store.find, call.account_id, number)
        if present is None:
            return UNKNOWN
        mailbox = present.mailbox if isinstance(wanted.from_email, UnsetType) else _read_mailbox(wanted)
        is_moved = str(mailbox) != present.email
        if is_moved and (trouble := await self._withdraw(call, present, scope=_UPDATE)):
            return trouble
        now = self.clock.now()

        def act() -> Letter | SingleSender | Deny:
            proofs = self.proofs_as(call.actor)
            proofs.store.describe(call.account_id, number, read_details(wanted, present.details))
            if is_moved:
                return proofs.move(call.account_id, number, mailbox, now)
            return proofs.store.find(call.account_id, number) or Deny(SenderDenial.UNKNOWN)

        changed = await do_judged(self.acts, self.callers, call, scope=_UPDATE, act=act)
        if isinstance(changed, SingleSender):
            return Answer(status=200, body=self._describe(changed))
        return await self._answer_letter(changed, status=200)

    async def remove(self, call: Call) -> Answer | Problem:
        """Remove a sender. One that has been verified is forgotten only once every worker knows it."""
        number = _number(call)
        present = await asyncio.to_thread(self.proofs.store.find, call.account_id, number)
        if present is None:
            return UNKNOWN
        if trouble := await self._withdraw(call, present, scope=_DELETE):
            return trouble
        removed = await do_judged(
            self.acts, self.callers, call, scope=_DELETE,
            act=lambda: self.proofs_as(call.actor).store.remove(call.account_id, number),
        )  # fmt: skip
        if isinstance(removed, Problem):
            return removed
        return Answer(status=204) if removed else UNKNOWN

    async def resend(self, call: Call) -> Answer | Problem:
        """Send another token."""
        now = self.clock.now()
        made = await do_judged(
            self.acts, self.callers, call, scope=_UPDATE,
            act=lambda: self.proofs_as(call.actor).renew(call.account_id, _number(call), now),
        )  # fmt: skip
        answer = await self._answer_letter(made, status=204)
        return answer if isinstance(answer, Problem) else Answer(status=204)

    async def verify(self, call: Call) -> Answer | Problem:
        """Take a token; of several that try at once, wherever, one gets it."""
        token, now = Secret(call.parameters["sender_token"]), self.clock.now()
        proved = await do_judged(
            self.acts, self.callers, call, scope=_UPDATE,
            act=lambda: self.proofs_as(call.actor).prove(call.account_id, token, now),
        )  # fmt: skip
        if isinstance(proved, Deny):
            return _problem_of(proved)
        if isinstance(proved, Problem):
            return proved
        log.info("sender_verified", account_id=call.account_id, sender=proved.id, by=id_of(call.principal))
        return Answer(status=204)

    async def list_steps(self, call: Call) -> Answer | Problem:
        """Say how far the account has come."""
        senders = await asyncio.to_thread(self.proofs.store.list_after, call.account_id, SenderId(0), MAX_SENDERS)
        claims = await asyncio.to_thread(self.domains.list_all, call.account_id)
        steps = Steps(
            sender_verified=any(each.state is SenderState.VERIFIED for each in senders),
            domain_verified=any(each.state is DomainState.VERIFIED for each in claims),
        )
        return Answer(status=200, body=StepsCompleted(results=steps))

    async def list_domains(self, _: Call) -> Answer | Problem:
        """List the mailbox providers that we know."""
        failing = FailingDomains(soft_failures=SOFT_FAILURES, hard_failures=HARD_FAILURES)
        return Answer(status=200, body=FailingDomainsShown(results=failing))

    async def _withdraw(self, call: Call, present: SingleSender, *, scope: str) -> Problem | None:
        """End the right to an address, everywhere; a call that failed half-way ends it when it is made again."""
        if present.verified_at is None and present.state is SenderState.PENDING:
            return None
        withdrawn = await do_judged(
            self.acts, self.callers, call, scope=scope,
            act=lambda: self.proofs_as(call.actor).store.withdraw(call.account_id, present.id),
        )  # fmt: skip
        if isinstance(withdrawn, Problem):
            return withdrawn
        await self.rights_changed.settle_address(call.account_id, present.email, reason="single sender removed")
        log.info("sender_withdrawn", account_id=call.account_id, sender=present.id, by=id_of(call.principal))
        return None

    async def _answer_letter(self, made: Letter | Deny | Problem, *, status: int) -> Answer | Problem:
        """Send what is to be sent, and answer with the sender. Where its domain is the account's, nothing is."""
        if isinstance(made, Problem):
            return made
        if isinstance(made, Deny):
            return _problem_of(made)
        shown = self._describe(made.sender)
        if shown.verified:
            return Answer(status=status, body=shown)
        try:
            await self.letters.send_sender_token(made.sender.email, made.token)
        except RelayError as error:
            log.warning("sender_letter_failed", account_id=made.sender.account_id, reason=str(error))
            return _NEVER_SENT if isinstance(error, AddressRefused) else _NOT_SENT
        warning = _word(await self._find_policy(made.sender.mailbox.domain), made.sender.mailbox.domain)
        return Answer(status=status, body=describe(made.sender, is_verified=False, warning=warning))

    async def _find_policy(self, domain: str) -> AuthorPolicy | None:
        try:
            async with asyncio.timeout(_POLICY_TIMEOUT.total_seconds()):
                return await answer_from(self.resolver, find_author_policy(domain))
        except TimeoutError:
            return None

    def _describe(self, sender: SingleSender) -> SenderShown:
        """Say that it is verified just where the door would let it pass."""
        decision = decide_author(sender.account_id, sender.mailbox, allowed_authors=(), domains=self.rule)
        return describe(sender, is_verified=bool(decision))


def _problem_of(denial: Deny) -> Problem:
    if denial.reason is SenderDenial.TOO_MANY_LETTERS:
        text = "too many letters to that address, or by this account, within a day"
        return problem(429, text, headers={"Retry-After": denial.detail})
    return _DENIALS[cast("SenderDenial", denial.reason)]


def _word(policy: AuthorPolicy | None, domain: str) -> str:
    if policy is None:
        return ""
    said = f"publishes a DMARC policy of {policy.published.value}" if policy.published else "is a mailbox provider's"
    effect = {
        Failure.HARD: "receivers will refuse most mail that you send as this address",
        Failure.SOFT: "receivers will put much of the mail that you send as this address among the junk",
    }[policy.failure]
    return f"{domain} {said}: {effect}. Authenticate a domain of your own and send as that."


def _read_mailbox(wanted: SenderWanted) -> Mailbox:
    return parse_mailbox(cast("str", wanted.from_email).strip().encode(), allow_utf8=True)


def _number(call: Call) -> SenderId:
    # What is no number is nobody's: numbers begin with 1.
    return SenderId(_read_number(call.parameters["sender_id"]) or 0)


def _read_number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    number = int(text)
    return number if number <= _MAX_NUMBER else None
