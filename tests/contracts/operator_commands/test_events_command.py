import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from gatepost.mailflow.options import SendingOptions


@pytest.fixture
def happened(installation, acme):
    """One message a minute, in turn in two shards; the fourth is globex's."""
    globex = installation.create_account("globex")
    messages = []
    for minute, (number, account) in enumerate([(0, acme), (1, acme), (0, acme), (1, globex)]):
        rig = installation.shard(number)
        rig.clock.instant = rig.clock.instant.replace(minute=minute)
        message = rig.message(f"r{minute}@x.example", account=account)
        installation.fill(number, message)
        messages.append(message)
    installation.run("queue", "hold", "--domain", "x.example", "--account", "globex")
    return messages


def read(installation, *arguments):
    result = installation.run("events", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def told(installation, *arguments):
    return [f"{event['type']} {event['recipient'].split('@')[0]}" for event in read(installation, *arguments)]


PROCESSED = ["processed r0", "processed r1", "processed r2", "processed r3"]


def test_events_of_all_shards_are_shown_in_the_order_of_time(installation, happened):
    # The hold has the real time; the messages have that of the tests.
    assert [event for event in told(installation) if event != "held r3"] == PROCESSED
    assert len(read(installation)) == 5


def test_events_carry_what_the_sender_said_of_the_message(installation, acme):
    options = SendingOptions(categories=("news", "daily"), custom_args=(("order", "7"),), batch_id="b")
    rig = installation.shard(0)
    installation.fill(0, rig.message("r@x.example", account=acme, options=options))

    (event,) = read(installation)
    line = installation.run("events").output

    assert (event["category"], event["custom_args"], event["batch_id"]) == (["news", "daily"], {"order": "7"}, "b")
    assert "category: news, daily" in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--account", "acme"], PROCESSED[:3]),
        (["--type", "held"], ["held r3"]),
        (["--type", "held", "--type", "processed", "--account", "globex"], ["held r3", "processed r3"]),
        (["--type", "processed", "--limit", "2"], PROCESSED[2:]),
        (["--type", "processed", "--since", "2026-11-24T12:01:30Z"], PROCESSED[2:]),
        (["--type", "processed", "--since", "2026-11-24"], PROCESSED),
        (["--type", "bounce"], []),
        (["--limit", "0"], []),
    ],
    ids=" ".join,
)
def test_events_are_chosen(installation, happened, arguments, expected):
    assert sorted(told(installation, *arguments)) == sorted(expected)


def test_events_of_one_message_are_chosen(installation, happened):
    assert set(told(installation, "--message", happened[3].id)) == {"processed r3", "held r3"}


def test_events_are_readable_and_cut_off_aloud(installation, happened):
    result = installation.run("events", "--account", "acme", "--limit", "1")

    assert result.stdout == (
        f"2026-11-24T12:02:00Z  processed    {happened[2].id}  acme  r2@x.example  "
        "author: news@example.com; size_octets: 22; client: 192.0.2.1\n"
    )
    assert "Earlier ones are left out" in result.stderr
    assert installation.run("events", "--account", "acme", "--limit", "3").stderr == ""


def test_an_event_has_all_its_fields(installation, happened):
    (event,) = read(installation, "--type", "held")

    assert (event["account"], event["account_id"], event["key_id"]) == ("globex", happened[3].account_id, "key-1")
    assert (event["message_id"], event["detail"]) == (happened[3].id, {"reason": "held by operator"})


@pytest.mark.parametrize("since", ["yesterday", "1y", "2026-11-24T12:00:00"])
def test_a_time_that_cannot_be_read_is_refused(installation, happened, since):
    result = installation.run("events", "--since", since)

    assert result.exit_code == 2
    assert "write 15m, 1h, 2d" in result.stderr


def test_a_duration_counts_back_from_now(installation, happened):
    # The hold happened a moment ago by the real clock; the tests' own clock may be before or after it.
    assert "held r3" in told(installation, "--since", "10m")
    assert "held r3" in told(installation, "--since", "90s", "--type", "held")


class Following:
    """``gatepost events --follow`` in a process of its own."""

    def __init__(self, installation, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gatepost", "events", "--follow", "-c", str(installation.config), *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines = queue.Queue()
        self._reading = threading.Thread(
            target=lambda: [self._lines.put(line) for line in self.process.stdout], daemon=True
        )
        self._reading.start()

    def next_event(self):
        event = json.loads(self._lines.get(timeout=20))
        return f"{event['type']} {event['recipient']}"

    def end(self):
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(20)
        self._reading.join(20)
        error = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, error, self._lines.qsize()


@pytest.fixture
def follow(installation):
    """Starts followers; ends those that a failed test has left."""
    started = []

    def follow(*arguments):
        started.append(Following(installation, *arguments))
        return started[-1]

    yield follow
    for following in started:
        if following.process.poll() is None:
            following.process.kill()
            following.end()


def test_followers_see_each_event_once_also_of_a_worker_that_is_new(installation, acme, follow):
    first = installation.shard(0)
    installation.fill(0, first.message("old@x.example", account=acme), first.message("past@x.example", account=acme))
    following = follow("--json", "--limit", "1", "--type", "processed")
    seen = [following.next_event()]

    installation.fill(0, first.message("next@x.example", account=acme))
    seen.append(following.next_event())
    installation.run("queue", "hold", "--account", "acme")  # of another type: is not shown
    (installation.queue_dir / "shard-1.db").touch()  # a worker that is about to make its tables
    installation.fill(1, installation.shard(1).message("new@x.example", account=acme))
    seen.append(following.next_event())
    installation.fill(0, first.message("last@x.example", account=acme))
    seen.append(following.next_event())

    assert seen == [f"processed {name}@x.example" for name in ("past", "next", "new", "last")]
    assert following.end() == (0, "Earlier ones are left out: see --limit and --since.\n", 0)


async def test_what_a_running_worker_writes_is_seen(installation, acme, run_worker, follow):
    rig = await run_worker(0)
    following = follow("--json")
    await rig.accept("a@x.example", account=acme)
    rig.clock.advance(timedelta(seconds=1))

    assert await asyncio.to_thread(following.next_event) == "processed a@x.example"
    assert await asyncio.to_thread(following.end) == (0, "", 0)
