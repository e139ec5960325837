"""What a tenant notices of another one at 20 times its limit: ``python -m benchmarks.noisy_tenant``.

One tenant sends at an even pace and measures how long each message takes from MAIL to the 250. Another has a limit, and
in every second round offers 20 times as much, in several sessions. Rounds with and without it take turns, so that
whatever else the machine does falls on both. The figure is the ratio of the 99th percentiles; the goal is at most 1.5.
"""

import argparse
import smtplib
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median, quantiles

from tests.support.relay import Relay
from tests.support.sink import Sink

LIMIT_PER_MINUTE = 120
EXCESS = 20
NOISY_SESSIONS = 4
PACE_SECONDS = 0.05
GOAL = 1.5


class Sender:
    """One session of one tenant, kept open."""

    def __init__(self, relay: Relay, key: str, author: str) -> None:
        self._author = author
        self._client = smtplib.SMTP("localhost", relay.starttls_port, timeout=60)
        self._client.starttls(context=ssl.create_default_context(cafile=str(relay.ca_file)))
        self._client.login("apikey", key)

    def send(self) -> bool:
        """Offer one message; say whether it was taken."""
        if self._client.docmd(f"MAIL FROM:<{self._author}>")[0] != 250:
            return False
        self._client.docmd("RCPT TO:<bob@dest.test>")
        text = f"From: {self._author}\r\nTo: bob@dest.test\r\nSubject: hi\r\n\r\n" + "x" * 70 + "\r\n"
        return self._client.data(text.encode())[0] == 250


def make_noise(senders: list[Sender], seconds: float) -> tuple[int, int]:
    """Offer mail at the multiple of the limit; return how much was offered, and how much was taken."""
    pause = 60 / (LIMIT_PER_MINUTE * EXCESS) * len(senders)
    counts: list[bool] = []

    def offer(sender: Sender) -> None:
        end = due = time.monotonic()
        end += seconds
        while (now := time.monotonic()) < end:
            if due > now:
                time.sleep(due - now)
            due += pause
            counts.append(sender.send())

    threads = [threading.Thread(target=offer, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(counts), sum(counts)


def listen(sender: Sender, seconds: float) -> list[float]:
    """Send at an even pace; return how long each message took, in seconds."""
    took: list[float] = []
    end = due = time.monotonic()
    end += seconds
    while time.monotonic() < end:
        time.sleep(max(0.0, due - time.monotonic()))
        due += PACE_SECONDS
        began = time.perf_counter()
        if not sender.send():
            raise RuntimeError("the quiet tenant was refused")
        took.append(time.perf_counter() - began)
    return took


def run(relay: Relay, *, rounds: int, seconds: float) -> int:
    """Measure, print, and return 0 if the goal is met."""
    relay.command("account", "create", "noisy")
    relay.authenticate_domain("noisy.test", "noisy")
    relay.command("limit", "set", "noisy", "--messages-per-minute", str(LIMIT_PER_MINUTE))
    quiet = Sender(relay, relay.key, "ann@example.test")
    noisy_key = relay.make_key("noisy", "noise")
    noisy = [Sender(relay, noisy_key, "nils@noisy.test") for _ in range(NOISY_SESSIONS)]
    alone: list[float] = []
    beside: list[float] = []
    offered = taken = 0
    for _ in range(rounds):
        alone += listen(quiet, seconds)
        counts: list[tuple[int, int]] = []
        noise = threading.Thread(target=lambda into: into.append(make_noise(noisy, seconds)), args=(counts,))
        noise.start()
        beside += listen(quiet, seconds)
        noise.join()
        offered, taken = offered + counts[0][0], taken + counts[0][1]
    ratio = p99(beside) / p99(alone)
    print(f"noisy tenant: {offered / rounds / seconds:.1f} messages/s offered, {taken} of {offered} taken")
    for name, took in (("alone", alone), ("beside", beside)):
        middle, worst = median(took) * 1e3, p99(took) * 1e3
        print(f"quiet tenant {name:6}: {len(took)} messages, p50 {middle:.1f} ms, p99 {worst:.1f} ms")
    print(f"ratio of the 99th percentiles: {ratio:.2f} (goal: at most {GOAL})")
    return 0 if ratio <= GOAL else 1


def p99(took: list[float]) -> float:
    """Return the 99th percentile."""
    return quantiles(took, n=100)[98]


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    sink = Sink()
    with tempfile.TemporaryDirectory() as folder:
        relay = Relay(Path(folder) / "relay", {"dest.test": f"127.0.0.1:{sink.port}"})
        try:
            relay.start()
            return run(relay, rounds=options.rounds, seconds=options.seconds)
        finally:
            relay.close()
            sink.stop()


if __name__ == "__main__":
    sys.exit(main())
