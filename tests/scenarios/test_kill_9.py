"""kill -9 of a mail worker under load: nothing that was answered with 250 is lost, and the books balance."""

import os
import random
import re
import signal
import smtplib
import ssl
import threading
import time
from collections import Counter
from itertools import count
from pathlib import Path

import psutil
from tests.support.relay import Relay
from tests.support.sink import Sink

SENDERS = 8
KILLS = 5


class Sender(threading.Thread):
    """Sends numbered messages one after the other, connecting again as often as it must; notes what was accepted."""

    def __init__(self, relay: Relay, number: int, enough: threading.Event) -> None:
        super().__init__()
        self._enough = enough
        self._relay = relay
        self._number = number
        self._client: smtplib.SMTP_SSL | None = None
        self.accepted: list[str] = []

    def run(self) -> None:
        for number in count():
            if self._enough.is_set():
                break
            name = f"kill-{self._number}-{number}"
            try:
                self._send(name)
            except (OSError, smtplib.SMTPException):
                self._hang_up()  # refused, or the answer never came: not accepted, as far as we know
                time.sleep(0.05)
            else:
                self.accepted.append(name)
        self._hang_up()

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _send(self, name: str) -> None:
        if self._client is None:
            context = ssl.create_default_context(cafile=str(self._relay.ca_file))
            self._client = smtplib.SMTP_SSL("localhost", self._relay.implicit_port, context=context, timeout=10)
            self._client.login("apikey", self._relay.key)
        message = f"From: ann@example.test\r\nTo: bob@dest.test\r\nSubject: {name}\r\n\r\n" + f"{'x' * 70}\r\n" * 30
        self._client.sendmail("ann@example.test", ["bob@dest.test"], message)


def mail_workers(relay: Relay) -> list[psutil.Process]:
    return [child for child in psutil.Process(relay.process_id).children() if "mail" in child.cmdline()]


def arrived(sink: Sink) -> Counter[str]:
    found = (re.search(rb"Subject: (\S+)", message) for message in list(sink.messages))
    return Counter(match[1].decode() for match in found if match)


def test_nothing_accepted_is_lost_when_mail_workers_are_killed(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    draw = random.Random(seed)
    sink = Sink()
    relay = Relay(tmp_path, {"dest.test": f"127.0.0.1:{sink.port}"})
    try:
        relay.start()
        enough = threading.Event()
        senders = [Sender(relay, number, enough) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(KILLS):
            time.sleep(draw.uniform(0.3, 1.5))
            os.kill(draw.choice(mail_workers(relay)).pid, signal.SIGKILL)
        time.sleep(1)
        enough.set()
        for sender in senders:
            sender.join()
        accepted = {name for sender in senders for name in sender.accepted}

        deadline = time.monotonic() + 60
        while not accepted <= arrived(sink).keys() and time.monotonic() < deadline:
            time.sleep(0.2)

        copies = arrived(sink)
        assert len(accepted) > 100
        assert accepted - copies.keys() == set()
        # A second copy needs an attempt that the kill interrupted, and those are few.
        assert sum(count - 1 for count in copies.values()) <= KILLS * 20
        books = relay.run("books")
        assert books.returncode == 0, books.stdout + books.stderr
    finally:
        relay.close()
        sink.stop()
