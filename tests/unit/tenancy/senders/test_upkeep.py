"""Upkeep on a store in memory that keeps the port's contract as far as it is asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId
from gatepost.standards.dns.question import Answer, AnswerStatus
from gatepost.standards.dns.records import TXT, Name
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.senders.claim import Wish, claim_domain
from gatepost.tenancy.senders.dns_plan import Relay, plan_records
from gatepost.tenancy.senders.domain import DomainState, DomainTaken, KeyState
from gatepost.tenancy.senders.review import DomainReview, ReviewState
from gatepost.tenancy.senders.rotation import RotationPolicy, Step, ask_for_rotation
from gatepost.tenancy.senders.upkeep import KeyUpkeep, RecheckPolicy, RecordUpkeep, Standing

BORN = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
RELAY = Relay(host_name="mail.relay.example", zone="gp.relay.example")
POLICY = RotationPolicy(rotate_after=180 * DAY, retire_for=10 * DAY)


class Clock:
    def __init__(self):
        self.instant = BORN

    def now(self):
        return self.instant


class OneClaim:
    """Holds one claim."""

    def __init__(self):
        self.claim, self.owner = None, None

    def list_all(self, account_id):
        return []

    def add(self, claim):
        self.claim = replace(claim, id=1, state=DomainState.VERIFIED, verified_at=BORN)
        return 1

    def change(self, account_id, number, decide):
        self.claim = decide(self.claim)
        return self.claim

    def withdraw(self, account_id, number):
        self.claim = replace(self.claim, state=DomainState.PENDING)

    def mark_verified(self, account_id, number, at):
        if self.owner:
            raise DomainTaken(self.claim.name)
        self.claim = replace(self.claim, state=DomainState.VERIFIED, verified_at=at)


class Guard:
    """Objects when told to."""

    def __init__(self):
        self.review = None

    def admit(self, account_id, name, now, verify):
        if self.review is None:
            verify()
        return self.review


class Records:
    """A nameserver: what it says of a name, nothing of others."""

    def __init__(self):
        self.answers = {}
        self.is_down = False

    async def resolve(self, question):
        if self.is_down:
            return Answer(status=AnswerStatus.FAILED, detail="timed out")
        records = self.answers.get((question.name, question.type.value), ())
        return Answer(status=AnswerStatus.FOUND if records else AnswerStatus.NO_NAME, records=tuple(records))

    def publish(self, claim):
        for each in plan_records(claim, RELAY):
            is_alias = each.type.value == "CNAME"
            self.answers[each.name, each.type.value] = [Name(each.value) if is_alias else TXT(each.value.encode())]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(keyring):
    store = OneClaim()
    claim_domain(
        store, AccountId("acc_1"), "example.com", keyring=keyring, entropy=SystemEntropy(), now=BORN,
        wish=Wish(is_automatic=True),
    )  # fmt: skip
    return store


def states(claim):
    return {key.selector: key.state for key in claim.dkim_keys}


class TestKeys:
    @pytest.fixture
    def nameservers(self):
        return [Records(), Records()]

    @pytest.fixture
    def keys(self, store, keyring, clock, nameservers):
        return KeyUpkeep(domains=store, keyring=keyring, resolvers=nameservers, clock=clock, policy=POLICY)

    @staticmethod
    async def step(keys, store):
        found = keys.find_step(store.claim)
        return found and (found[0], await keys.take_step(store.claim, *found))

    @staticmethod
    def show(nameserver, claim, selector):
        (key,) = (key for key in claim.dkim_keys if key.selector == selector)
        name = f"{selector}._domainkey.example.com"
        nameserver.answers[name, "TXT"] = [TXT(f"v=DKIM1; k=rsa; p={key.public_key}".encode())]

    async def publish_next(self, keys, store, clock):
        clock.instant = BORN + DAY
        store.claim = ask_for_rotation(store.claim, clock.instant, is_urgent=False)
        clock.instant += HOUR
        assert await self.step(keys, store) == (Step.PUBLISH, True)
        clock.instant += HOUR

    async def test_a_new_key_is_published_and_does_not_sign(self, keys, store, clock):
        before = store.claim.signing_keys

        await self.publish_next(keys, store, clock)

        assert states(store.claim) == {"s1": KeyState.ACTIVE, "s2": KeyState.NEXT}
        assert store.claim.signing_keys == before

    async def test_it_signs_once_every_nameserver_shows_it(self, keys, store, clock, nameservers):
        await self.publish_next(keys, store, clock)
        assert await self.step(keys, store) == (Step.CHECK, False)
        self.show(nameservers[0], store.claim, "s2")
        assert await self.step(keys, store) == (Step.CHECK, False)
        self.show(nameservers[1], store.claim, "s2")
        nameservers[1].is_down = True
        assert await self.step(keys, store) == (Step.CHECK, False)
        nameservers[1].is_down = False

        assert await self.step(keys, store) == (Step.CHECK, True)

        assert states(store.claim) == {"s1": KeyState.RETIRED, "s2": KeyState.ACTIVE}
        assert [key.selector for key in store.claim.signing_keys] == ["s2"]

    async def test_another_key_that_stands_there_is_not_it(self, keys, store, clock, nameservers):
        await self.publish_next(keys, store, clock)
        for nameserver in nameservers:
            self.show(nameserver, store.claim, "s1")
            nameserver.answers["s2._domainkey.example.com", "TXT"] = nameserver.answers[
                "s1._domainkey.example.com", "TXT"
            ]

        assert await self.step(keys, store) == (Step.CHECK, False)

    async def test_without_a_nameserver_nothing_is_proved(self, keys, store, clock):
        await self.publish_next(keys, store, clock)

        assert not await replace(keys, resolvers=()).is_seen_everywhere(store.claim, store.claim.dkim_keys[1])

    async def test_a_retired_key_is_destroyed_in_time(self, keys, store, clock, nameservers):
        await self.publish_next(keys, store, clock)
        for nameserver in nameservers:
            self.show(nameserver, store.claim, "s2")
        assert await self.step(keys, store) == (Step.CHECK, True)
        clock.instant += 10 * DAY - HOUR
        assert await self.step(keys, store) is None
        clock.instant += HOUR

        assert await self.step(keys, store) == (Step.EMPTY, True)

        gone = next(key for key in store.claim.dkim_keys if key.selector == "s1")
        assert (gone.state, gone.sealed_private_key, gone.public_key) == (KeyState.EMPTIED, b"", "")

    async def test_a_step_that_another_process_has_taken_is_not_taken_again(self, keys, store, clock):
        clock.instant = BORN + 200 * DAY
        found = keys.find_step(store.claim)
        stale = store.claim
        assert await keys.take_step(stale, *found)
        published = store.claim

        assert not await keys.take_step(stale, *found)

        assert store.claim == published


class Settled:
    def __init__(self):
        self.store, self.states, self.trouble = None, [], ""

    async def settle(self, claim):
        if self.trouble:
            raise Transient(self.trouble)
        self.states.append(self.store.claim.state)


class TestRecords:
    @pytest.fixture
    def nameserver(self, store):
        nameserver = Records()
        nameserver.publish(store.claim)
        return nameserver

    @pytest.fixture
    def settled(self):
        """What was told to the mail workers: the state of the claim at that time, and whether its note was made."""
        return Settled()

    @pytest.fixture
    def records(self, store, clock, nameserver, settled):
        settled.store = store
        return RecordUpkeep(
            domains=store,
            guard=Guard(),
            settle=settled.settle,
            resolver=nameserver,
            relay=RELAY,
            clock=clock,
            policy=RecheckPolicy(),
        )

    @staticmethod
    async def look(records, store):
        return (await records.look(store.claim))[0]

    async def test_what_is_there_is_kept_and_noted(self, records, store, clock):
        clock.instant += DAY

        assert await self.look(records, store) is Standing.KEPT
        assert (store.claim.checked_at, store.claim.failing_since) == (clock.instant, None)
        assert not records.policy.is_due(store.claim, clock.instant)
        assert records.policy.is_due(store.claim, clock.instant + DAY)

    async def test_a_record_that_is_gone_warns_then_stops_and_comes_back(self, records, store, clock, nameserver):
        published = dict(nameserver.answers)
        del nameserver.answers["s2._domainkey.example.com", "CNAME"]
        clock.instant += DAY
        gone_at = clock.instant
        assert await self.look(records, store) is Standing.FAILING
        assert records.policy.is_due(store.claim, gone_at + HOUR)
        clock.instant += 71 * HOUR
        assert await self.look(records, store) is Standing.FAILING
        assert (store.claim.state, store.claim.failing_since) == (DomainState.VERIFIED, gone_at)

        clock.instant += HOUR
        assert await self.look(records, store) is Standing.WITHDRAWN
        assert store.claim.state is DomainState.PENDING
        assert await self.look(records, store) is Standing.WITHDRAWN

        nameserver.answers = published
        assert await self.look(records, store) is Standing.RETURNED
        assert (store.claim.state, store.claim.failing_since) == (DomainState.VERIFIED, None)

    async def test_each_change_is_made_certain_once(self, records, store, clock, nameserver, settled):
        published = dict(nameserver.answers)
        nameserver.answers = {}
        told = []
        for _ in range(5):
            clock.instant += 36 * HOUR
            told.append((await self.look(records, store), tuple(settled.states)))
        nameserver.answers = published
        told += [(await self.look(records, store), tuple(settled.states)) for _ in range(2)]

        gone, back = DomainState.PENDING, DomainState.VERIFIED
        assert told == [
            (Standing.FAILING, ()), (Standing.FAILING, ()), (Standing.WITHDRAWN, (gone,)),
            (Standing.WITHDRAWN, (gone,)), (Standing.WITHDRAWN, (gone,)), (Standing.RETURNED, (gone, back)),
            (Standing.KEPT, (gone, back)),
        ]  # fmt: skip

    @pytest.mark.parametrize("is_back", [False, True], ids=["withdrawn", "returned"])
    async def test_what_was_not_certain_is_made_so_at_the_next_look(
        self, records, store, clock, nameserver, settled, is_back
    ):
        published = dict(nameserver.answers)
        nameserver.answers = {}
        await self.look(records, store)
        clock.instant += 72 * HOUR
        if is_back:
            await self.look(records, store)
            nameserver.answers = published
            clock.instant += HOUR
        settled.states, settled.trouble = [], "worker 1 does not answer"
        before = store.claim

        with pytest.raises(Transient):
            await self.look(records, store)
        moved = store.claim
        settled.trouble = ""
        await self.look(records, store)
        await self.look(records, store)

        # The right has moved at once; only the note that all is done was not made.
        now = DomainState.VERIFIED if is_back else DomainState.PENDING
        assert (moved.state, moved.checked_at, moved.failing_since) == (now, before.checked_at, before.failing_since)
        assert records.policy.is_due(moved, clock.instant)
        assert settled.states == [now]

    async def test_a_record_that_came_back_in_time_is_settled_too(self, records, store, clock, nameserver, settled):
        # The claim may have been withdrawn and proved again by hand in between.
        published = dict(nameserver.answers)
        nameserver.answers = {}
        await self.look(records, store)
        nameserver.answers = published
        clock.instant += HOUR

        assert await self.look(records, store) is Standing.KEPT
        assert (settled.states, store.claim.failing_since) == ([DomainState.VERIFIED], None)

    async def test_it_does_not_come_back_where_another_account_has_the_name(self, records, store, clock):
        store.withdraw(store.claim.account_id, 1)
        store.claim = replace(store.claim, failing_since=BORN)
        store.owner = AccountId("acc_2")

        assert await self.look(records, store) is Standing.WITHDRAWN
        assert store.claim.state is DomainState.PENDING

    async def test_it_does_not_come_back_while_it_looks_like_what_another_has_verified_since(
        self, records, store, clock, nameserver
    ):
        store.withdraw(store.claim.account_id, 1)
        store.claim = replace(store.claim, failing_since=BORN)
        records.guard.review = DomainReview(
            account_id=store.claim.account_id, name=store.claim.name, looks_like="exampie.com",
            state=ReviewState.HELD, held_at=BORN,
        )  # fmt: skip
        assert await self.look(records, store) is Standing.WITHDRAWN
        assert (store.claim.state, store.claim.failing_since) == (DomainState.PENDING, BORN)

        records.guard.review = None
        assert await self.look(records, store) is Standing.RETURNED

    async def test_what_was_found_of_each_record_is_noted(self, records, store, clock, nameserver):
        del nameserver.answers["s2._domainkey.example.com", "CNAME"]
        await self.look(records, store)
        assert store.claim.records_found == {"mail_cname", "dkim1", "dmarc"}

        nameserver.is_down = True
        await self.look(records, store)
        assert store.claim.records_found == {"mail_cname", "dkim1", "dmarc"}

    async def test_a_dns_that_does_not_answer_costs_nobody_anything(self, records, store, clock, nameserver):
        nameserver.is_down = True
        clock.instant += 90 * DAY

        assert await self.look(records, store) is Standing.UNKNOWN
        assert (store.claim.state, store.claim.failing_since) == (DomainState.VERIFIED, None)

    def test_claims_are_not_all_due_at_once(self, store):
        policy = RecheckPolicy()
        looked = [replace(store.claim, id=number, checked_at=BORN) for number in range(100)]

        due = [policy.is_due(claim, BORN + 0.95 * DAY) for claim in looked]

        assert 30 < sum(due) < 70

    def test_who_has_been_gone_for_long_is_asked_for_rarely(self, store):
        gone = replace(store.claim, failing_since=BORN, checked_at=BORN + 40 * DAY)

        assert not RecheckPolicy().is_due(gone, BORN + 40 * DAY + 2 * HOUR)

    def test_a_claim_never_looked_at_is_due(self, store):
        assert RecheckPolicy().is_due(replace(store.claim, verified_at=None), BORN)
