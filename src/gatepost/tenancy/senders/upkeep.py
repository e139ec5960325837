"""Upkeep of claims: keys are rotated by the evidence of the DNS, and records that vanish are noticed.

Whoever runs this may be stopped at any moment, and may by mischance run beside another: each change is decided anew
within its own transaction, on the claim as it is then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from gatepost.primitives.clock import Clock
from gatepost.standards.dns.question import Question, RecordType
from gatepost.tenancy.senders.claim import HeldForReview, accept_proof
from gatepost.tenancy.senders.dkim_key import generate_dkim_key
from gatepost.tenancy.senders.dns_check import (
    Finding,
    FindingState,
    check_domain,
    is_proved,
    judge_dkim,
    note_found,
)
from gatepost.tenancy.senders.dns_plan import Relay, plan_key_record, plan_records
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, DomainState, DomainTaken
from gatepost.tenancy.senders.look_alike_guard import LookAlikeGuard
from gatepost.tenancy.senders.ports import DomainStore, Keyring, Resolver
from gatepost.tenancy.senders.rotation import RotationPolicy, Step, empty, idle_selector, next_step, succeed, switch


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUpkeep:
    """Takes the steps of key rotation.

    Attributes:
        resolvers: Each asks one nameserver, and remembers nothing: a key is used when all of them have it.
        committing: One commit at a time: threads that want to write to SQLite do not stand in a line for it, and of
            many that come again and again one may wait for too long.
    """

    domains: DomainStore
    keyring: Keyring
    resolvers: Sequence[Resolver]
    clock: Clock
    policy: RotationPolicy
    committing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def find_step(self, claim: AuthenticatedDomain) -> tuple[Step, DKIMKey] | None:
        """Return the step whose time has come, and the key that it is about."""
        return next_step(claim, self.policy, now=self.clock.now())

    async def take_step(self, claim: AuthenticatedDomain, step: Step, key: DKIMKey) -> bool:
        """Take a step of ``find_step``; return whether that was possible: a key must be seen everywhere first."""
        successor = key
        if step is Step.CHECK and not await self.is_seen_everywhere(claim, key):
            return False
        if step is Step.PUBLISH:
            selector = idle_selector(claim, key)
            assert selector is not None, "a key is only to be published where there is room"
            successor = await asyncio.to_thread(
                generate_dkim_key,
                claim.account_id,
                claim.name,
                selector,
                algorithm=key.algorithm,
                keyring=self.keyring,
                created_at=self.clock.now(),
            )
        async with self.committing:
            return await asyncio.to_thread(self._commit, claim, step, key, successor)

    async def is_seen_everywhere(self, claim: AuthenticatedDomain, key: DKIMKey) -> bool:
        """Say whether every nameserver gives the key out under the customer's name, behind whatever alias."""
        record = plan_key_record(claim, key)
        question = Question(record.name, RecordType.TXT)
        answers = await asyncio.gather(*[resolver.resolve(question) for resolver in self.resolvers])
        return bool(answers) and all(judge_dkim(record, each).state is FindingState.VALID for each in answers)

    def _commit(self, claim: AuthenticatedDomain, step: Step, key: DKIMKey, successor: DKIMKey) -> bool:
        now = self.clock.now()
        is_done = False

        def decide(present: AuthenticatedDomain) -> AuthenticatedDomain:
            nonlocal is_done
            is_done = next_step(present, self.policy, now=now) == (step, key)
            if not is_done:
                return present
            match step:
                case Step.PUBLISH:
                    return replace(present, dkim_keys=succeed(present, successor, now=now))
                case Step.CHECK:
                    return replace(present, dkim_keys=switch(present, key, now=now))
                case Step.EMPTY:
                    return replace(present, dkim_keys=empty(present, key, now=now))

        self.domains.change(claim.account_id, claim.id, decide)
        return is_done


_HOPEFUL_FOR = timedelta(days=30)


class Standing(Enum):
    """How a claim's records were found, and what came of it."""

    KEPT = "kept"
    #: The DNS could not be asked; nothing follows from that.
    UNKNOWN = "unknown"
    #: A record is gone; the claim stands for the time of grace.
    FAILING = "failing"
    #: The grace is over: nobody sends under the name by this claim any more.
    WITHDRAWN = "withdrawn"
    #: The records are back, and so is the claim.
    RETURNED = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckPolicy:
    """When claims are looked at again.

    Attributes:
        every: The pause between two looks at a claim whose records are there.
        while_failing: The pause while one is not.
        grace: For how long a claim stands without its records.
    """

    every: timedelta = timedelta(hours=24)
    while_failing: timedelta = timedelta(hours=1)
    grace: timedelta = timedelta(hours=72)

    def is_due(self, claim: AuthenticatedDomain, now: datetime) -> bool:
        """Say whether it is time; claims are spread by their numbers, over a tenth of the pause."""
        # One that is failing may just have been given back without a look that came to its end.
        proved_at = None if claim.failing_since is not None else claim.verified_at
        looked_at = max(filter(None, (claim.checked_at, proved_at)), default=None)
        if looked_at is None:
            return True
        is_hopeful = claim.failing_since is not None and now - claim.failing_since < _HOPEFUL_FOR
        pause = self.while_failing if is_hopeful else self.every
        return now - looked_at >= pause - pause * (claim.id * 0.618 % 1) / 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordUpkeep:
    """Looks whether the records of verified claims are still there.

    Attributes:
        guard: A claim that comes back is proved anew: meanwhile another account may have verified a name like it.
        settle: Makes certain, on every mail worker, what may be sent in the name of a claim whose standing has changed:
            what is queued is held, or goes on. Raises ``Transient`` where that is not certain.
    """

    domains: DomainStore
    guard: LookAlikeGuard
    settle: Callable[[AuthenticatedDomain], Awaitable[None]]
    resolver: Resolver
    relay: Relay
    clock: Clock
    policy: RecheckPolicy

    async def look(self, claim: AuthenticatedDomain) -> tuple[Standing, tuple[Finding, ...]]:
        """Look at one claim; note what was found, withdraw the claim or give it back.

        The note is the last thing that is done: a look that was cut short, or could not be made certain everywhere,
        is taken again.
        """
        now = self.clock.now()
        plan = plan_records(claim, self.relay)
        findings = await check_domain(claim.name, plan, self.resolver, relay=self.relay, at=now)
        standing = await asyncio.to_thread(self._move, claim, judge_standing(claim, findings, self.policy, now), now)
        if self._is_unsettled(claim, standing):
            await self.settle(claim)
        await asyncio.to_thread(self._note, claim, standing, findings, now)
        return standing, findings

    def _move(self, claim: AuthenticatedDomain, standing: Standing, now: datetime) -> Standing:
        if standing is Standing.WITHDRAWN and claim.state is DomainState.VERIFIED:
            self.domains.withdraw(claim.account_id, claim.id)
        if standing is Standing.RETURNED:
            try:
                accept_proof(self.domains, claim, guard=self.guard, now=now)
            except (DomainTaken, HeldForReview, LookupError):
                # It is another one's now, or looks like one, or is nobody's: this claim stays without it.
                return Standing.WITHDRAWN
        return standing

    def _is_unsettled(self, claim: AuthenticatedDomain, standing: Standing) -> bool:
        """Say whether the queue may not agree with the claim: it has, or had not, been looked at since it changed."""
        if standing in {Standing.KEPT, Standing.RETURNED}:
            return claim.failing_since is not None
        if standing is not Standing.WITHDRAWN:
            return False
        if claim.failing_since is None or claim.checked_at is None:
            return True
        return claim.checked_at - claim.failing_since < self.policy.grace

    def _note(self, claim: AuthenticatedDomain, standing: Standing, findings: Sequence[Finding], now: datetime) -> None:
        is_there = standing in {Standing.KEPT, Standing.RETURNED}

        def note(present: AuthenticatedDomain) -> AuthenticatedDomain:
            failing_since = None if is_there else present.failing_since
            if standing in {Standing.FAILING, Standing.WITHDRAWN}:
                failing_since = failing_since or now
            records_found = note_found(present.records_found, findings)
            return replace(present, checked_at=now, failing_since=failing_since, records_found=records_found)

        self.domains.change(claim.account_id, claim.id, note)


def judge_standing(
    claim: AuthenticatedDomain, findings: Sequence[Finding], policy: RecheckPolicy, now: datetime
) -> Standing:
    """Say what findings mean for a claim that was verified."""
    is_verified = claim.state is DomainState.VERIFIED
    if is_proved(findings):
        return Standing.KEPT if is_verified else Standing.RETURNED
    gone = [each for each in findings if each.record.is_required and each.state in _GONE]
    if not gone:
        return Standing.UNKNOWN
    is_over = claim.failing_since is not None and now - claim.failing_since >= policy.grace
    return Standing.WITHDRAWN if is_over or not is_verified else Standing.FAILING


_GONE = frozenset({FindingState.MISSING, FindingState.WRONG})
