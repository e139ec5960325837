"""What the embedded queue does when the disk, a record or a file is not what it was."""

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.queue.recipient import Predicate, RecipientState
from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.ids import AccountId
from gatepost.storage.queue_sqlite.shard import ShardBusy

ALICE = AccountId("acc_alice")
DELIVERED = RecipientState.DELIVERED


def spooled(rig, octets=b"Subject: large\r\n\r\n" + b"x" * 3_000_000):
    writer = rig.queue.spool.open()
    try:
        writer.write(octets)
    except StoreUnavailable:
        writer.discard()
        raise
    return writer.finish()


@contextmanager
def tampering(rig):
    connection = sqlite3.connect(rig.database)
    with connection:
        yield connection
    connection.close()


# ---------------------------------------------------------------- broken records


BREAK_ROW = {
    "content altered": "UPDATE message SET content = replace(content, 'h', 'j') WHERE message_id = ?",
    "content cut short": "UPDATE message SET content = substr(content, 1, 5) WHERE message_id = ?",
    "content gone": "UPDATE message SET content = NULL WHERE message_id = ?",
    "envelope altered": "UPDATE message SET head = CAST(replace(head, 'news', 'evil') AS BLOB) WHERE message_id = ?",
    "envelope gone": "UPDATE message SET head = x'' WHERE message_id = ?",
    "account altered": "UPDATE message SET account_id = 'acc_bob' WHERE message_id = ?",
    "instant altered": "UPDATE message SET accepted_at = accepted_at + 1 WHERE message_id = ?",
    "destination altered": "UPDATE recipient SET domain = 'evil.example' WHERE id / 65536 = "
    "(SELECT id FROM message WHERE message_id = ?) AND id % 65536 = 0",
    "recipient not even text": "UPDATE recipient SET local_part = CAST(x'ff61' AS TEXT) WHERE id / 65536 = "
    "(SELECT id FROM message WHERE message_id = ?) AND id % 65536 = 0",
    "recipient altered": "UPDATE recipient SET local_part = 'evil' WHERE id / 65536 = "
    "(SELECT id FROM message WHERE message_id = ?) AND id % 65536 = 0",
    "row gone": "DELETE FROM message WHERE message_id = ?",
}


@pytest.mark.parametrize("fault", BREAK_ROW)
async def test_a_record_that_does_not_read_back_is_set_aside_and_stops_nobody(rig, fault):
    broken = await rig.accept("a@x.example", "b@x.example", "c@y.example")
    whole = await rig.accept("d@x.example")
    await rig.queue.close()
    with tampering(rig) as connection:
        assert connection.execute(BREAK_ROW[fault], (broken.id,)).rowcount == 1
    await rig.start()

    (lease,) = await rig.lease()

    assert lease.message == whole
    await rig.settle(lease, DELIVERED)
    books = rig.books()
    assert (books.accepted, books.delivered, books.dropped, books.difference) == (4, 1, 3, 0)
    assert rig.states() == {}
    assert rig.queue.counters.set_aside_messages == 1
    assert [name for name, _ in rig.reports] == ["queue_record_set_aside"]
    if fault != "row gone":
        with rig.reader as reader:
            report = reader.find_message(broken.id)
        assert report.set_aside_reason
        assert [event.type.value for event in report.events].count("dropped") == 3
        assert report.events[-1].detail["reason"] == "unreadable record"


BREAK_FILE = {
    "altered": lambda path: path.write_bytes(path.read_bytes().replace(b"x", b"y", 1)),
    "cut short": lambda path: os.truncate(path, 1000),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("fault", BREAK_FILE)
async def test_a_spooled_content_that_does_not_read_back_is_set_aside(rig, fault):
    await rig.accept("a@x.example", "b@y.example", content=spooled(rig))
    whole = await rig.accept("c@x.example", content=spooled(rig))
    await rig.queue.close()
    name = rig_spool_name(rig, 1)
    BREAK_FILE[fault](rig.directory / "spool-0" / name)
    await rig.start()

    (lease,) = await rig.lease()

    assert lease.message == whole_again(whole, lease)
    await rig.settle(lease, DELIVERED)
    await rig.queue.barrier()
    books = rig.books()
    assert (books.accepted, books.delivered, books.dropped, books.difference) == (3, 1, 2, 0)


def rig_spool_name(rig, key):
    with tampering(rig) as connection:
        return connection.execute("SELECT spool FROM message WHERE id = ?", (key,)).fetchone()[0]


def whole_again(message, lease):
    """A spooled content has no equality of its own; compare its octets, and the rest as values."""
    assert b"".join(lease.message.content.chunks()) == b"".join(message.content.chunks())
    return type(message)(
        **{name: getattr(message, name) for name in message.__slots__} | {"content": lease.message.content}
    )


# ---------------------------------------------------------------- large contents


async def test_a_spooled_content_lives_as_long_as_its_message(rig):
    content = spooled(rig)
    await rig.accept("a@x.example", "b@y.example", content=content)
    await rig.restart()
    leases = await rig.lease_recipients(2)
    assert all(b"".join(lease.message.content.chunks()) == b"".join(content.chunks()) for lease in leases)

    await rig.settle(leases[0], DELIVERED)
    assert len(list((rig.directory / "spool-0").iterdir())) == 1

    await rig.settle(leases[1], RecipientState.BOUNCED)
    assert list((rig.directory / "spool-0").iterdir()) == []


async def test_a_spooled_content_goes_with_its_removed_message(rig):
    await rig.accept("a@x.example", content=spooled(rig))

    await rig.queue.remove(Predicate(account_id=ALICE), reason="operator")

    assert list((rig.directory / "spool-0").iterdir()) == []


@pytest.mark.parametrize("is_released", [False, True], ids=["held", "held and released"])
async def test_a_hold_reaches_a_spooled_content_that_is_being_read(rig, is_released):
    await rig.accept("a@x.example", content=spooled(rig))
    await rig.restart()
    gate = Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    opened = loop.run_in_executor(None, gate.wait)  # nothing else is read until it opens
    waiting = asyncio.create_task(rig.lease())
    while rig.states() != {"a@x.example": RecipientState.LEASED}:
        await rig.queue.barrier()

    assert await rig.queue.hold(Predicate(account_id=ALICE), reason="hold") == 1
    if is_released:
        assert await rig.queue.release(Predicate(account_id=ALICE)) == 1
    gate.set()

    await opened
    if is_released:
        assert len(await waiting) == 1
        return
    async with asyncio.timeout(5):
        while rig.states() != {"a@x.example": RecipientState.HELD}:
            await rig.queue.barrier()
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_what_was_spooled_and_never_accepted_is_removed_at_opening(rig):
    spooled(rig).flush()
    assert len(list((rig.directory / "spool-0").iterdir())) == 1

    await rig.restart()

    assert list((rig.directory / "spool-0").iterdir()) == []


async def test_a_refused_acceptance_removes_the_spooled_content(rig):
    content = spooled(rig)
    await rig.queue.close()

    with pytest.raises(StoreUnavailable):
        await rig.accept("a@x.example", content=content)

    assert list((rig.directory / "spool-0").iterdir()) == []


async def test_discarding_after_acceptance_removes_nothing(rig):
    writer = rig.queue.spool.open()
    writer.write(b"x" * 100_000)
    task = asyncio.create_task(rig.accept("a@x.example", content=writer.finish()))
    await asyncio.sleep(0)
    writer.discard()

    await task
    writer.discard()

    (lease,) = await rig.lease()
    assert lease.message.content.head() == b"x" * 100_000


# ---------------------------------------------------------------- the disk


async def test_a_settlement_about_a_lost_row_is_left_out_and_fails_no_other(rig):
    await asyncio.gather(*[rig.accept(f"{name}@x.example") for name in ("lost", "one", "two")])
    leases = await rig.lease_recipients(3)
    with tampering(rig) as connection:
        connection.execute("DELETE FROM recipient WHERE local_part = 'lost'")

    await asyncio.gather(*[rig.settle(lease, DELIVERED) for lease in leases])

    assert (rig.books().accepted, rig.books().delivered, rig.books().difference) == (3, 2, 1)
    with rig.reader as reader:
        events = reader.list_events(after_id=0, limit=100, types=[EventType.DELIVERED])
    assert sorted(event.recipient.local_part for _, event in events) == ["one", "two"]


async def test_after_a_failed_flush_nothing_is_accepted_until_restarted(rig):
    await rig.accept("a@x.example")
    (lease,) = await rig.lease()
    content = spooled(rig)
    read_end, write_end = os.pipe()  # cannot be flushed
    os.close(content._draft._file)
    content._draft._file = write_end

    refused = await asyncio.gather(rig.accept("b@x.example", content=content), return_exceptions=True)

    os.close(read_end)
    assert refused[0].trouble is StoreTrouble.SUSPECT
    assert rig.queue.is_suspect
    with pytest.raises(StoreUnavailable, match="suspect"):
        await rig.accept("c@x.example")
    with pytest.raises(StoreUnavailable, match="suspect"):
        await rig.lease()
    await rig.settle(lease, DELIVERED)  # what is known is still written down, for fewer second copies
    assert "queue_store_suspect" in [name for name, _ in rig.reports]

    await rig.restart()
    await rig.accept("d@x.example")
    assert (rig.books().accepted, rig.books().delivered, rig.books().difference) == (2, 1, 0)


async def test_a_write_error_is_transient_and_passes(rig):
    await rig.accept("a@x.example")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(StoreUnavailable) as caught:
            await rig.accept("b@x.example", content=b"x" * 1_000_000)
        with pytest.raises(StoreUnavailable):
            spooled(rig)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert caught.value.trouble is StoreTrouble.IO_ERROR
    await rig.accept("c@x.example")
    assert (rig.books().accepted, rig.books().difference) == (2, 0)
    assert not rig.queue.is_suspect


@contextmanager
def every_write_failing():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_settlement_that_could_not_be_written_can_be_made_again(rig):
    await rig.accept("a@x.example")
    (lease,) = await rig.lease()

    with every_write_failing(), pytest.raises(StoreUnavailable):
        await rig.settle(lease, DELIVERED)

    assert rig.queue.handed_out == 1
    await rig.settle(lease, DELIVERED)
    assert (rig.books().delivered, rig.queue.handed_out) == (1, 0)


async def test_what_could_not_be_leased_is_leased_when_the_disk_works_again(rig):
    rig.stock = type(rig.stock)(leases=0)
    await rig.restart()
    await rig.accept("a@x.example")
    waiting = asyncio.create_task(rig.lease())

    with every_write_failing():
        await asyncio.sleep(0)
        await asyncio.gather(rig.queue.barrier(), rig.accept("b@x.example"), return_exceptions=True)
        assert not waiting.done()

    (lease,) = await waiting
    assert lease.recipients[0].attempts == 0


async def test_leases_that_could_not_be_given_back_are_handed_out(rig):
    await rig.accept("a@x.example")

    with every_write_failing(), pytest.raises(StoreUnavailable):
        await rig.queue.remove(Predicate(account_id=ALICE), reason="operator")

    assert len(await rig.lease()) == 1


async def test_what_is_held_and_could_not_be_given_back_is_not_handed_out(rig):
    await rig.accept("a@x.example")
    with tampering(rig) as connection:
        connection.execute(
            "CREATE TRIGGER poison BEFORE UPDATE ON recipient WHEN NEW.state <> 1 "
            "BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )

    assert await rig.queue.hold(Predicate(account_id=ALICE), reason="hold") == 1

    waiting = asyncio.create_task(rig.lease())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    with tampering(rig) as connection:
        connection.execute("DROP TRIGGER poison")
    async with asyncio.timeout(5):
        while rig.states() != {"a@x.example": RecipientState.HELD}:
            await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_lane_that_cannot_be_leased_stops_no_other(rig):
    rig.stock = type(rig.stock)(leases=0)
    await rig.restart()
    with tampering(rig) as connection:
        connection.execute(
            "CREATE TRIGGER poison BEFORE UPDATE ON recipient WHEN NEW.domain = 'poison.example' "
            "BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )
    await asyncio.gather(rig.accept("a@poison.example"), rig.accept("b@x.example"), rig.accept("c@y.example"))

    leases = await rig.lease_recipients(2)

    assert sorted(lease.domain for lease in leases) == ["x.example", "y.example"]
    assert "queue_job_failed" in [name for name, _ in rig.reports]


async def test_a_broken_envelope_can_still_be_shown(rig):
    message = await rig.accept("a@x.example")
    with tampering(rig) as connection:
        connection.execute("UPDATE message SET head = x'00'")

    with rig.reader as reader:
        report = reader.find_message(message.id)

    assert (report.envelope, report.size_octets) == (None, message.content.size_octets)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB; needs root."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or subprocess.run([mount, "-t", "tmpfs", "-o", "size=4M", "none", path]).returncode:
        pytest.skip("mounting a small file system needs root")
    yield path
    subprocess.run([shutil.which("umount"), path], check=True)


async def test_a_full_disk_is_said_to_be_full_and_taken_again_when_there_is_room(make_rig, small_disk):
    rig = make_rig()
    rig.directory = small_disk / "queue"
    await rig.start()
    accepted, refusal = await rig.accept_until_refused(b"x" * 30_000)
    with pytest.raises(StoreUnavailable) as spooling:
        spooled(rig, b"x" * 5_000_000)

    assert refusal.trouble is StoreTrouble.NO_ROOM
    assert spooling.value.trouble is StoreTrouble.NO_ROOM
    assert rig.books().accepted == accepted > 10
    assert not rig.queue.is_suspect
    subprocess.run([shutil.which("mount"), "-o", "remount,size=40M", small_disk], check=True)
    await rig.accept("b@x.example", content=b"x" * 30_000)
    assert (rig.books().accepted, rig.books().difference) == (accepted + 1, 0)
    await rig.queue.close()


MESSAGES = 12


def fill_to_the_last_octet(disk):
    """Write, as others would, until the file system takes nothing more."""
    with (disk / "others").open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


@pytest.fixture
async def rig_with_ballast(make_rig, small_disk):
    """A queue on the small disk, some messages in it, none leased yet."""
    rig = make_rig()
    rig.directory = small_disk / "queue"
    rig.ballast_octets = 3 << 19
    rig.stock = type(rig.stock)(leases=1)
    await rig.start()
    assert rig.queue.ballast.take()
    for _ in range(MESSAGES):
        await rig.accept("a@x.example", content=b"x" * 30_000)
    yield rig
    await rig.queue.close()


async def deliver_all(rig, after_each=lambda: None):
    for _ in range(MESSAGES):
        (lease,) = await rig.lease(limit=1)
        await rig.settle(lease, DELIVERED)
        after_each()


async def test_delivery_goes_on_however_often_others_fill_the_disk_to_the_last_octet(rig_with_ballast, small_disk):
    rig = rig_with_ballast
    fill_to_the_last_octet(small_disk)

    await deliver_all(rig, after_each=lambda: fill_to_the_last_octet(small_disk))

    assert (rig.books().delivered, rig.books().difference) == (MESSAGES, 0)
    assert rig.queue.ballast.is_spent
    assert [name for name, _ in rig.reports].count("queue_ballast_given_back") == 1
    (small_disk / "others").unlink()
    assert rig.queue.ballast.take()
    assert not rig.queue.ballast.is_spent


async def test_a_worker_starts_and_delivers_on_a_disk_that_others_have_filled(rig_with_ballast, small_disk):
    rig = rig_with_ballast
    await rig.queue.close()
    fill_to_the_last_octet(small_disk)

    await rig.start()
    await deliver_all(rig)

    assert (rig.books().delivered, rig.books().difference) == (MESSAGES, 0)


async def test_room_for_delivery_is_not_given_to_new_mail(rig_with_ballast, small_disk):
    rig = rig_with_ballast
    fill_to_the_last_octet(small_disk)

    _, refusal = await rig.accept_until_refused(b"x" * 300_000)

    assert refusal.trouble is StoreTrouble.NO_ROOM
    await deliver_all(rig)


FAILING_FLUSH = """
import asyncio, subprocess, sys, os
from pathlib import Path
from threading import Event
sys.path.insert(0, sys.argv[2])
import conftest
from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.ports import StoreUnavailable

async def main():
    rig = conftest.Rig(directory=Path(sys.argv[1]))
    await rig.start()
    await rig.accept("good@x.example")
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO",
         "-p", str(os.getpid())], stderr=subprocess.PIPE)
    tracer.stderr.readline()
    for name in ("lost", "refused"):
        try:
            await rig.accept(f"{name}@x.example")
        except StoreUnavailable as error:
            print(name, error.trouble.value)
    print("suspect", rig.queue.is_suspect, flush=True)
    tracer.terminate()
    tracer.wait()
    os._exit(0)

asyncio.run(main())
"""


@pytest.mark.debian
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
async def test_a_commit_whose_flush_failed_is_neither_answered_for_nor_found_later(make_rig):
    rig = make_rig()
    child = subprocess.run(
        [sys.executable, "-c", FAILING_FLUSH, rig.directory, Path(__file__).parent],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert child.stdout.split("\n")[:3] == ["lost suspect store", "refused suspect store", "suspect True"], child.stderr

    await rig.start()

    assert list(rig.states()) == ["good@x.example"]
    await rig.queue.close()


# ---------------------------------------------------------------- opening


async def test_a_shard_belongs_to_one_process(rig, make_rig):
    other = make_rig()
    other.directory = rig.directory

    with pytest.raises(ShardBusy, match=r"shard-0\.lock"):
        await other.start()

    await rig.queue.close()
    await other.start()
    await other.queue.close()


@pytest.mark.parametrize("where", [0, 8192], ids=["first page", "second page"])
async def test_a_damaged_file_is_reported_with_what_to_do(make_rig, where):
    rig = make_rig()
    await rig.start()
    await rig.queue.close()
    with rig.database.open("r+b") as file:
        file.seek(where)
        file.write(b"\xee" * 4096)

    with pytest.raises(Misconfigured, match="move the file"):
        await rig.start()


async def test_a_shard_of_another_version_is_refused(make_rig):
    rig = make_rig()
    await rig.start()
    await rig.queue.close()
    with tampering(rig) as connection:
        connection.execute("PRAGMA user_version=99")

    with pytest.raises(Misconfigured, match="version 99"):
        await rig.start()


async def test_files_are_for_the_owner_alone(rig):
    await rig.accept("a@x.example", content=spooled(rig))

    modes = {path.name: path.stat().st_mode & 0o077 for path in [rig.directory, *rig.directory.rglob("*")]}

    assert set(modes.values()) == {0}


async def test_old_events_are_forgotten_and_nothing_else(rig):
    old = await rig.accept("a@x.example")
    rig.clock.advance(timedelta(days=1))
    new = await rig.accept("b@x.example")

    assert await rig.queue.prune_events(rig.clock.now()) == 1

    assert (rig.story(old), rig.story(new)) == ([], ["processed"])
    assert rig.books().accepted == 2


async def test_commits_are_flushed_and_the_log_is_copied_elsewhere(rig):
    connection = rig.queue._writer._connection

    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "page_size")
    }

    assert found == {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0, "page_size": 8192}


async def test_the_log_does_not_grow_without_bound_under_load(rig):
    for _ in range(25):
        await asyncio.gather(*[rig.accept("a@x.example", content=b"x" * 1_000_000) for _ in range(10)])
        for lease in await rig.lease_recipients(10):
            await rig.settle(lease, DELIVERED)

    assert rig.database.with_name("shard-0.db-wal").stat().st_size < 120 << 20
