"""The Queue against a simple model: any order of calls, the books and every state compared after each."""

import asyncio
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gatepost.mailflow.queue.hold import apply_hold, apply_release, apply_settlement
from gatepost.mailflow.queue.recipient import Predicate, RecipientState
from gatepost.mailflow.queue.states import FINAL, check
from gatepost.primitives.ids import AccountId

QUEUED, LEASED, HELD = RecipientState.QUEUED, RecipientState.LEASED, RecipientState.HELD
ACCOUNTS = [AccountId("acc_alice"), AccountId("acc_bob")]
DOMAINS = ["x.example", "y.example", "z.example"]
STATES = st.sampled_from([QUEUED, *sorted(FINAL, key=lambda state: state.value)])
PREDICATES = st.builds(
    Predicate,
    account_id=st.none() | st.sampled_from(ACCOUNTS),
    domain=st.none() | st.sampled_from(DOMAINS),
).filter(lambda predicate: predicate != Predicate())


class Modelled:
    """One recipient, as the contract says it must be."""

    def __init__(self, account, domain, due):
        self.account, self.domain, self.due = account, domain, due
        self.state, self.is_marked, self.attempts = QUEUED, False, 0

    def move(self, state):
        if state is not self.state:
            check(self.state, state)
            self.state = state

    def matches(self, predicate):
        return predicate.account_id in {None, self.account} and predicate.domain in {None, self.domain}


class QueueMachine(RuleBasedStateMachine):
    def __init__(self, make_rig):
        super().__init__()
        self.runner = asyncio.Runner()
        self.rig = make_rig()
        self.rig.stock = type(self.rig.stock)(leases=4, lane_leases=3)  # small, so that both ways are taken
        self.runner.run(self.rig.start())
        self.model = {}
        self.leases = []

    def live(self):
        return [one for one in self.model.values() if one.state not in FINAL]

    def waiting(self):
        now = self.rig.clock.now()
        return [one for one in self.model.values() if one.state is QUEUED and one.due <= now]

    @rule(account=st.sampled_from(ACCOUNTS), domains=st.lists(st.sampled_from(DOMAINS), min_size=1, max_size=4))
    def accept(self, account, domains):
        paths = [f"u{number}@{domain}" for number, domain in enumerate(domains)]
        message = self.runner.run(self.rig.accept(*paths, account=account))
        for position, domain in enumerate(domains):
            self.model[message.id, position] = Modelled(account, domain, self.rig.clock.now())

    @precondition(lambda self: self.waiting())
    @rule(limit=st.integers(1, 5), room=st.integers(1, 5))
    def lease(self, limit, room):
        leases = self.runner.run(self.rig.lease(limit=limit, room=lambda _: room))

        assert 0 < len(leases) <= limit
        given = {}
        for lease in leases:
            for recipient in lease.recipients:
                modelled = self.model[lease.message.id, recipient.position]
                assert modelled.domain == lease.domain
                assert modelled.attempts == recipient.attempts
                assert modelled.due <= self.rig.clock.now()
                modelled.move(LEASED)
                modelled.attempts += 1
                given[lease.domain] = given.get(lease.domain, 0) + 1
        assert max(given.values()) <= room
        self.leases += leases

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), minutes=st.integers(1, 5))
    def settle(self, data, minutes):
        lease = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        states = [data.draw(STATES) for _ in lease.recipients]
        self.runner.run(self.rig.settle(lease, *states, again_after=timedelta(minutes=minutes)))
        for recipient, state in zip(lease.recipients, states, strict=True):
            modelled = self.model[lease.message.id, recipient.position]
            modelled.due = self.rig.clock.now() + timedelta(minutes=minutes)
            modelled.move(apply_settlement(state, is_marked=modelled.is_marked))

    @rule(predicate=PREDICATES)
    def hold(self, predicate):
        count = self.runner.run(self.rig.queue.hold(predicate, reason="model"))

        meant = [one for one in self.live() if one.matches(predicate) and not one.is_marked]
        assert count == len(meant)
        for one in meant:
            one.is_marked = True
            one.move(apply_hold(one.state))

    @rule(predicate=PREDICATES)
    def release(self, predicate):
        count = self.runner.run(self.rig.queue.release(predicate))

        meant = [one for one in self.live() if one.matches(predicate) and one.is_marked]
        assert count == len(meant)
        for one in meant:
            one.is_marked = False
            if one.state is HELD:
                one.due = self.rig.clock.now()
            one.move(apply_release(one.state, is_scheduled=False))

    @rule(predicate=PREDICATES)
    def remove(self, predicate):
        count = self.runner.run(self.rig.queue.remove(predicate, reason="model"))

        meant = [one for one in self.live() if one.matches(predicate) and one.state is not LEASED]
        assert count == len(meant)
        for one in meant:
            one.move(RecipientState.DROPPED)

    @rule(minutes=st.integers(1, 10))
    def let_time_pass(self, minutes):
        self.rig.clock.advance(timedelta(minutes=minutes))
        self.rig.queue.wake()

    @rule()
    def restart(self):
        self.runner.run(self.rig.restart())
        self.leases = []
        for one in self.live():
            if one.state is LEASED:
                one.due = self.rig.clock.now()
                one.move(apply_settlement(QUEUED, is_marked=one.is_marked))

    @invariant()
    def the_store_says_what_the_model_says(self):
        self.runner.run(self.rig.queue.barrier())
        with self.rig.reader as reader:
            rows = {(row.message_id, row.position): row for row in reader.list_recipients(Predicate(), limit=1000)}
        expected = {key: one for key, one in self.model.items() if one.state not in FINAL}
        assert rows.keys() == expected.keys()
        handed_out = {(lease.message.id, one.position) for lease in self.leases for one in lease.recipients}
        for key, row in rows.items():
            in_stock = row.state is LEASED and key not in handed_out
            assert (QUEUED if in_stock else row.state) is expected[key].state
            assert row.attempts - in_stock == expected[key].attempts

    @invariant()
    def the_books_balance(self):
        for account in ACCOUNTS:
            mine = [one.state for one in self.model.values() if one.account == account]
            books = self.rig.books(account)
            assert books.difference == 0
            assert books.accepted == len(mine)
            assert books.held == mine.count(HELD)
            for state in FINAL:
                assert getattr(books, state.value) == mine.count(state)

    def teardown(self):
        self.runner.run(self.rig.queue.close())
        self.runner.close()


def test_any_order_of_calls_keeps_to_the_model(make_rig):
    run_state_machine_as_test(
        lambda: QueueMachine(make_rig),
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            # Not "explain": on Python 3.11 it traces every line of the queue, which takes most of the time.
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        ),
    )
