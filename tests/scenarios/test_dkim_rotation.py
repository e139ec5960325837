"""Three CNAMEs are published once, keys are rotated twice behind them, and a receiver accepts every message."""

import itertools
import json
import re
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dkim
import pytest
from tests.support.ports import free_port
from tests.support.relay import OWN_RECORDS, Relay
from tests.support.sink import Sink
from tests.support.unbound import Unbound

pytestmark = pytest.mark.debian

ZONE = "gp.relay.example"
SETTINGS = """
[dns]
zone = "{zone}"
address = "127.0.0.1"
port = {port}

[dkim]
rotates_by_itself = false
settle_for = "1s"
retire_for = "6s"
"""


class Customer:
    """One with a zone of its own, an account, and a receiver that looks at what arrives."""

    def __init__(self, folder: Path) -> None:
        self.sink = Sink()
        port = free_port()
        self.unbound: Unbound | None = None

        def resolver_for(zone_of_customer: str) -> str:
            self.unbound = Unbound(folder, {"test": zone_of_customer, ZONE: f"127.0.0.1:{port}"})
            return self.unbound.address

        self.relay = Relay(
            folder,
            {"dest.test": f"127.0.0.1:{self.sink.port}"},
            workers=1,
            extra=SETTINGS.format(zone=ZONE, port=port),
            resolver_for=resolver_for,
        )
        self.numbers = itertools.count()

    def publish(self) -> list[str]:
        """Add the domain, and publish what is asked for: once."""
        added = self.relay.command(
            "domain", "add", "customer.test", "--account", "acme", "--automatic", "--return-path", "em7", "--json"
        )
        records = [each for each in json.loads(added) if each["is_required"]]
        aliases = {(each["name"], each["type"]): [f"{each['value']}."] for each in records}
        self.relay.zone.publish({**OWN_RECORDS, **aliases})
        return sorted(each["type"] for each in records)

    def send(self) -> bytes:
        """Send a message; return it as it was received."""
        subject = f"number {next(self.numbers)}."
        content = f"From: ann@customer.test\r\nTo: bob@dest.test\r\nSubject: {subject}\r\n\r\nHello.\r\n"
        with open_session(self.relay) as client:
            client.sendmail("ann@customer.test", ["bob@dest.test"], content)
        return self.sink.wait_for(subject.encode())

    def accepts(self, message: bytes) -> bool:
        """Whether a receiver, who asks a recursive resolver, finds the signature right (dkimpy)."""
        assert self.unbound is not None

        def texts(name: bytes, timeout: int = 5) -> bytes | None:
            return next(iter(self.unbound.texts(name.decode())), None) if self.unbound else None

        return bool(dkim.verify(message, dnsfunc=texts))

    def send_until(self, selector: str, check: Callable[[bytes], None]) -> list[bytes]:
        """Send until that selector signs; return what came, the last of it signed so."""
        sent, deadline = [], time.monotonic() + 60
        while not sent or selector_of(sent[-1]) != selector:
            assert time.monotonic() < deadline, self.relay.log()[-4000:]
            sent.append(self.send())
            check(sent[-1])
            time.sleep(0.1)
        return sent

    def close(self) -> None:
        self.relay.close()
        self.sink.stop()
        if self.unbound is not None:
            self.unbound.stop()


def open_session(relay: Relay) -> smtplib.SMTP:
    client = smtplib.SMTP("localhost", relay.starttls_port, timeout=20)
    client.starttls(context=ssl.create_default_context(cafile=str(relay.ca_file)))
    client.login("apikey", relay.key)
    return client


def selector_of(message: bytes) -> str:
    found = re.search(rb"DKIM-Signature:.*?\bs=([a-z0-9]+);", message, re.DOTALL)
    assert found is not None, message
    return found[1].decode()


@pytest.fixture
def customer(tmp_path: Path) -> Iterator[Customer]:
    customer = Customer(tmp_path)
    yield customer
    customer.close()


def test_keys_are_rotated_twice_behind_aliases_that_were_published_once(customer: Customer) -> None:
    relay = customer.relay
    assert customer.publish() == ["CNAME", "CNAME", "CNAME"]
    relay.start()
    relay.command("domain", "verify", "customer.test", "--account", "acme")

    def check(message: bytes) -> None:
        assert customer.accepts(message), message

    first = customer.send_until("s1", check)
    seen = []
    for selector in ("s2", "s1"):
        relay.command("dkim", "rotate", "customer.test", "--account", "acme")
        sent = customer.send_until(selector, check)
        for message in sent[-3:]:
            # The last ones before the switch too: what has signed them stays published.
            check(message)
        seen.append([selector_of(message) for message in sent])

    assert [selector_of(message) for message in first] == ["s1"]
    assert set(seen[0]) == {"s1", "s2"}
    assert set(seen[1]) == {"s1", "s2"}
    # Its key is gone by now, and another one stands there: an old signature proves nothing any more.
    assert not customer.accepts(first[0])
    assert "s1 s2" in relay.command("dkim", "status", "--account", "acme") or "s2 s1" in relay.command(
        "dkim", "status", "--account", "acme"
    )
