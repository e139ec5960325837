"""What is tried alone after crashes, for how long, and when the others' turn comes."""

from datetime import UTC, datetime

import pytest

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.acceptance import lease_at_once
from gatepost.storage.queue_sqlite.jobs import LeaseRecord, Order
from gatepost.storage.queue_sqlite.lanes import Lanes, StockLimits
from gatepost.storage.queue_sqlite.recovery import Suspect
from gatepost.storage.queue_sqlite.schema import MAX_RECIPIENTS
from gatepost.storage.queue_sqlite.trials import Trials, lasting

ALICE = AccountId("acc_alice")


class Bench:
    """Trials of messages 1, 2, …, each for one recipient, driven as their owner does."""

    def __init__(self, *crashes):
        self.seconds = 100.0
        self.excused = []
        self.lanes = Lanes(limits=StockLimits(), longest_delay=1)
        suspects = [
            Suspect(account_id=ALICE, domain="x", keys=(number * MAX_RECIPIENTS,), crashes=count)
            for number, count in enumerate(crashes, 1)
        ]
        self.trials = Trials(
            suspects, lanes=self.lanes, excuse=lambda *what: self.excused.append(what), seconds=lambda: self.seconds
        )

    def stock(self, number):
        message = QueuedMessage(
            id=MessageId(f"m{number}"),
            account_id=ALICE,
            key_id=KeyId("k"),
            author=Mailbox(local_part="news", domain="example.com"),
            envelope=Envelope(reverse_path=None, forward_paths=(Mailbox(local_part="u", domain="x"),)),
            origin=Origin(protocol="ESMTPSA", peer_address="192.0.2.1"),
            content=MemoryContent(b"x"),
            accepted_at=datetime(2026, 11, 24, tzinfo=UTC),
        )
        (record,) = lease_at_once(number, message, ("x",))
        self.lanes.put(record)

    def hand_out(self):
        """Read the next from the table and note it as in hand; return its record."""
        order = self.trials.step(is_reading=False)
        assert isinstance(order, Order)
        self.stock(order.keys[0] // MAX_RECIPIENTS)
        record = self.trials.step(is_reading=False)
        assert isinstance(record, LeaseRecord)
        record.slot = 7
        return record


def test_without_suspects_there_is_none():
    assert not Bench().trials.are_on


def test_suspects_are_read_by_their_keys_and_handed_out_one_after_another():
    bench = Bench(2, 2)

    first = bench.hand_out()
    assert bench.trials.step(is_reading=False) is None
    first.slot = -1
    second = bench.hand_out()

    assert [record.message_key for record in (first, second)] == [1, 2]
    assert bench.excused == []


def test_nothing_goes_on_while_one_is_being_read():
    bench = Bench(2, 2)
    bench.trials.step(is_reading=False)
    bench.stock(1)

    assert bench.trials.step(is_reading=True) is None
    assert isinstance(bench.trials.step(is_reading=False), LeaseRecord)


def test_other_mail_in_stock_stays_there():
    bench = Bench(2)
    bench.stock(9)

    assert bench.hand_out().message_key == 1
    assert bench.lanes.stocked_leases == 1


def test_one_that_is_not_queued_any_more_is_passed_over():
    bench = Bench(2, 2)
    bench.trials.step(is_reading=False)

    following = bench.trials.step(is_reading=False)

    assert isinstance(following, Order)
    assert following.keys == (2 * MAX_RECIPIENTS,)


def test_they_are_over_when_the_last_has_ended():
    bench = Bench(2)
    bench.hand_out().slot = -1

    assert bench.trials.step(is_reading=False) is None
    assert not bench.trials.are_on


def test_one_that_takes_longer_is_excused_and_the_next_begins():
    bench = Bench(2, 2)
    bench.hand_out()
    bench.seconds += 1.9
    assert bench.trials.step(is_reading=False) is None
    assert bench.trials.seconds_to_wait() == pytest.approx(0.1)

    bench.seconds += 0.1
    following = bench.trials.step(is_reading=False)

    assert isinstance(following, Order)
    assert bench.excused == [(7, MAX_RECIPIENTS)]


def test_others_do_not_wait_for_all_trials():
    bench = Bench(*[2] * 10)

    tried = 0
    while bench.trials.are_on:
        bench.hand_out()
        tried += 1
        bench.seconds += 2
        if tried == 4:
            assert bench.trials.step(is_reading=False) is None

    assert tried == 4
    assert len(bench.excused) == 4


@pytest.mark.parametrize(("crashes", "seconds"), [(2, 2), (3, 4), (4, 8), (5, 16), (6, 16), (1_000_000, 16)])
def test_each_crash_makes_the_next_trial_longer_up_to_a_limit(crashes, seconds):
    assert lasting(crashes) == seconds
