"""A process that is killed at a random moment loses nothing it has answered for, and repeats nothing it has settled."""

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.ids import AccountId

CHILD = Path(__file__).with_name("accept_until_killed.py")


def run_and_kill(directory, seconds):
    """Return what the child said before it was killed, ``seconds`` after it began to work."""
    child = subprocess.Popen(
        [sys.executable, CHILD, directory],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said = bytearray()
    kill_at = None
    while kill_at is None or time.monotonic() < kill_at:
        readable, _, _ = select.select([child.stdout], [], [], 0.01)
        if readable:
            said += os.read(child.stdout.fileno(), 1 << 16)
        if kill_at is None and said:
            kill_at = time.monotonic() + seconds
    child.send_signal(signal.SIGKILL)
    said += child.stdout.read()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    return [line.split() for line in said.decode().splitlines() if line.count(" ") == 1]


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_answered_for_is_lost_and_nothing_settled_comes_back(make_rig, seed):
    rig = make_rig()
    said = run_and_kill(rig.directory, random.Random(seed).uniform(0.02, 0.5))
    accepted = {message_id for word, message_id in said if word == "accepted"}
    settled = {recipient for word, recipient in said if word == "settled"}

    await rig.start()

    with rig.reader as reader:
        rows = reader.list_recipients(Predicate(), limit=1_000_000)
        live = {f"{row.message_id}/{row.position}" for row in rows}
        delivered = {
            f"{event.message_id}/{'ab'.index(event.recipient.local_part)}"
            for _, event in reader.list_events(after_id=0, limit=1_000_000)
            if event.type.value == "delivered"
        }
    assert accepted
    assert len(rows) == len(live)
    assert {f"{message_id}/{position}" for message_id in accepted for position in "01"} <= live | delivered
    assert settled <= delivered
    assert not live & delivered
    assert rig.books(AccountId("acc_alice")).difference == 0
    assert rig.books(AccountId("acc_alice")).accepted == len(live) + len(delivered)
    for lease in await rig.lease(limit=50):
        assert b"".join(lease.message.content.chunks()).startswith(b"Subject: ")
    spooled = {path.name for path in (rig.directory / "spool-0").iterdir()}
    named = {
        name for (name,) in rig.queue._writer._connection.execute("SELECT spool FROM message WHERE spool IS NOT NULL")
    }
    assert spooled == named
    assert not [name for name, _ in rig.reports if name == "queue_record_set_aside"]
    await rig.queue.close()
