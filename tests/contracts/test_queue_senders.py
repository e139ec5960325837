"""The queue knows in whose name each recipient's mail is: what is held, what goes on, and what an old shard knows."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.mailflow.options import SendingOptions
from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN, Predicate, RecipientState
from gatepost.primitives.ids import AccountId
from gatepost.standards.address import parse_mailbox
from gatepost.storage.queue_sqlite.lanes import StockLimits
from gatepost.tenancy.senders.sender_names import SenderNames

ALICE, BOB = AccountId("acc_alice"), AccountId("acc_bob")
QUEUED, LEASED, HELD, SCHEDULED = (
    RecipientState.QUEUED,
    RecipientState.LEASED,
    RecipientState.HELD,
    RecipientState.SCHEDULED,
)


def mailbox(text):
    return None if text is None else parse_mailbox(text.encode(), allow_utf8=True)


async def accept(rig, to, author, reverse_path="same", **more):
    """Take a message in some name."""
    message = rig.message(to, **more)
    path = mailbox(author) if reverse_path == "same" else mailbox(reverse_path)
    message = replace(message, author=mailbox(author), envelope=replace(message.envelope, reverse_path=path))
    await rig.queue.accept(message)
    return message


def names(name, *excluded, **more):
    return Predicate(account_id=ALICE, sender=SenderNames(name=name, excluded=frozenset(excluded), **more))


async def test_exactly_what_is_in_the_name_is_held(rig):
    await accept(rig, "1@x.example", "a@example.com")
    await accept(rig, "2@x.example", "a@news.example.com")
    await accept(rig, "3@x.example", "a@own.example.com")
    await accept(rig, "4@x.example", "a@example.org")
    await accept(rig, "5@x.example", "a@example.org", "b@example.com")
    await accept(rig, "6@x.example", "a@example.com", None)
    await accept(rig, "7@x.example", "a@example.com", account=BOB)
    await accept(rig, "8@x.example", "ann@example.com")

    held = await rig.queue.hold(names("example.com", "own.example.com", "ann@example.com"), reason="domain removed")

    assert held == 4
    waiting = {who for who, state in rig.states().items() if state is not HELD}
    assert waiting == {"3@x.example", "4@x.example", "7@x.example", "8@x.example"}


async def test_mail_in_stock_under_way_and_scheduled_is_found_as_well(make_rig):
    rig = make_rig()
    rig.stock = StockLimits(leases=10, octets=1 << 20)
    await rig.start()
    try:
        await accept(rig, "away@x.example", "a@example.com")
        (under_way,) = await rig.lease()
        await accept(rig, "stock@x.example", "a@example.com")
        later = SendingOptions(send_at=rig.clock.now() + timedelta(hours=1))
        await accept(rig, "later@x.example", "a@example.com", options=later)
        await accept(rig, "other@x.example", "a@example.org")

        assert await rig.queue.hold(names("example.com"), reason="domain removed") == 3

        assert rig.queue.is_on_hold(under_way)
        (left,) = await rig.lease()
        assert left.recipients[0].mailbox.local_part == "other"
        await rig.settle(under_way, QUEUED)
        assert rig.states() == {
            "away@x.example": HELD, "stock@x.example": HELD, "later@x.example": HELD, "other@x.example": LEASED,
        }  # fmt: skip
    finally:
        await rig.queue.close()


async def test_what_is_removed_by_name_leaves_the_stock_too(rig):
    await accept(rig, "1@x.example", "a@example.com")
    await accept(rig, "2@x.example", "a@example.org")

    assert await rig.queue.remove(names("example.com"), reason="away") == 1

    (lease,) = await rig.lease()
    assert lease.recipients[0].mailbox.local_part == "2"


async def test_a_reader_lists_and_counts_by_name(rig):
    await accept(rig, "1@x.example", "a@example.com")
    await accept(rig, "2@x.example", "a@example.org", "b@news.example.com")
    await accept(rig, "3@x.example", "a@example.org")

    with rig.reader as reader:
        rows = reader.list_recipients(names("example.com"), limit=10)
        assert (len(rows), reader.count_recipients(names("example.com"))) == (2, 2)
        assert reader.count_recipients(names("example.org")) == 2
        assert reader.count_recipients(replace(names("example.com"), state=HELD)) == 0
        with pytest.raises(ValueError, match="names of their mail"):
            reader.list_events(after_id=0, limit=1, predicate=names("example.com"))


async def test_names_outlive_a_restart_and_a_large_number_of_rows(rig):
    for number in range(30):
        await accept(rig, f"{number}@x.example", f"a@{'example.com' if number % 3 else 'example.org'}")
    await rig.restart()

    assert await rig.queue.hold(names("example.com"), reason="domain removed") == 20
    assert await rig.queue.release(names("example.com")) == 20


class TestHeldUntilReturn:
    """What the service holds by itself it takes back by itself, and nothing else."""

    BACK = Predicate(account_id=ALICE, sender=SenderNames(name="example.com", all_of_them=True),
                     held_for=HELD_UNTIL_RETURN)  # fmt: skip

    async def test_it_goes_on_and_what_others_hold_does_not(self, rig):
        await accept(rig, "ours@x.example", "a@example.com")
        await accept(rig, "leaked@x.example", "a@example.com", key="key-2")
        await rig.queue.hold(Predicate(key_id="key-2"), reason="key leaked")
        assert await rig.queue.hold(names("example.com"), reason=HELD_UNTIL_RETURN) == 1

        assert await rig.queue.release(self.BACK) == 1

        assert rig.states() == {"ours@x.example": QUEUED, "leaked@x.example": HELD}

    async def test_what_is_held_for_another_reason_afterwards_stays(self, rig):
        message = await accept(rig, "a@x.example", "a@example.com")
        await rig.queue.hold(names("example.com"), reason=HELD_UNTIL_RETURN)

        assert await rig.queue.hold(Predicate(account_id=ALICE), reason="account suspended") == 1
        assert await rig.queue.hold(names("example.com"), reason=HELD_UNTIL_RETURN) == 0

        assert await rig.queue.release(self.BACK) == 0
        assert rig.states() == {"a@x.example": HELD}
        reasons = [event.detail["reason"] for event in rig.events(message) if event.type.value == "held"]
        assert reasons == [HELD_UNTIL_RETURN, "account suspended"]

    async def test_it_is_held_once(self, rig):
        message = await accept(rig, "a@x.example", "a@example.com")

        counts = [await rig.queue.hold(names("example.com"), reason=HELD_UNTIL_RETURN) for _ in range(2)]

        assert (counts, rig.story(message).count("held")) == ([1, 0], 1)

    async def test_mail_that_is_partly_in_another_name_waits_for_a_person(self, rig):
        await accept(rig, "a@x.example", "a@example.com", "b@example.org")
        await rig.queue.hold(names("example.com"), reason=HELD_UNTIL_RETURN)

        assert await rig.queue.release(self.BACK) == 0

    async def test_an_attempt_that_was_under_way_is_let_go_on(self, rig):
        await accept(rig, "a@x.example", "a@example.com")
        (lease,) = await rig.lease()
        await rig.queue.hold(names("example.com"), reason=HELD_UNTIL_RETURN)

        assert await rig.queue.release(self.BACK) == 1

        assert not rig.queue.is_on_hold(lease)

    async def test_a_backup_holds_it_for_good(self, rig):
        await accept(rig, "a@x.example", "a@example.com")
        await rig.queue.hold(names("example.com"), reason=HELD_UNTIL_RETURN)
        await rig.queue.close()
        (rig.directory / "shard-0.restored").touch()
        await rig.start()

        assert await rig.queue.release(self.BACK) == 0


#: What makes a shard of an older version of a new one.
OLDER = {
    2: "ALTER TABLE recipient DROP COLUMN author; ALTER TABLE recipient DROP COLUMN reverse_path;",
    1: "ALTER TABLE recipient DROP COLUMN author; ALTER TABLE recipient DROP COLUMN reverse_path;"
    "DROP TABLE message_options; DROP TABLE schedule; DROP TABLE request;",
}


@pytest.mark.parametrize("version", OLDER)
async def test_names_of_an_older_shard_are_filled_in_when_it_is_opened(rig, version):
    await accept(rig, "1@x.example", "a@example.com")
    await accept(rig, "2@x.example", "a@example.org", "b@example.com")
    await accept(rig, "3@x.example", "a@example.org", None)
    broken = await accept(rig, "4@x.example", "a@example.com")
    await rig.queue.close()
    with closing(sqlite3.connect(rig.database)) as database:
        database.executescript(f"{OLDER[version]} PRAGMA user_version={version};")
        database.execute("UPDATE message SET head = x'00' WHERE message_id = ?", (broken.id,))
        database.commit()

    await rig.start()

    assert await rig.queue.hold(names("example.com"), reason="domain removed") == 2
    assert {who for who, state in rig.states().items() if state is HELD} == {"1@x.example", "2@x.example"}
    # What cannot be read back has no names, and is set aside before it is sent.
    (lease,) = await rig.lease()
    assert lease.recipients[0].mailbox.local_part == "3"
