"""A right to a name ends while sessions are open: mail in that name is held on every worker, other mail goes on."""

import json
import smtplib
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
from tests.support.ports import free_port
from tests.support.relay import OWN_RECORDS, Relay

from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN, Predicate
from gatepost.storage.queue_sqlite.readings import Readings
from gatepost.storage.queue_sqlite.shard import list_shards
from gatepost.tenancy.senders.sender_names import SenderNames

SETTINGS = """
[senders]
recheck_every = "1s"
recheck_failing_every = "1s"
recheck_grace = "2s"
"""
SESSIONS = 6


class Customer:
    """An account with two domains, each of which it can unpublish, and sessions open to all workers."""

    def __init__(self, folder: Path) -> None:
        self.relay = Relay(folder, {"dead.test": f"127.0.0.1:{free_port()}"}, workers=2, extra=SETTINGS)
        added = json.loads(self.relay.command("domain", "add", "other.test", "--account", "acme", "--manual", "--json"))
        self.records = {
            "example.test": self.relay.records,
            "other.test": {record["name"]: record["value"] for record in added},
        }
        self.relay.zone.ttl = 1
        self.publish("example.test", "other.test")
        self.relay.command("domain", "verify", "other.test", "--account", "acme")
        self.relay.start()
        self.sessions = [self._open_session() for _ in range(SESSIONS)]

    def publish(self, *domains: str) -> None:
        """Let the DNS show the records of these domains; where those of others stood, something else stands now.

        What is not there at all would be remembered for as long as the zone says of such names.
        """
        shown = {
            (name, "TXT"): [_quote(text if domain in domains else "something else")]
            for domain, records in self.records.items()
            for name, text in records.items()
        }
        self.relay.zone.publish({**OWN_RECORDS, **shown})

    def send(self, author: str) -> set[int]:
        """Send in each session; return with which codes that ended."""
        content = f"From: {author}\r\nTo: bob@dead.test\r\nSubject: x\r\n\r\nHello.\r\n"
        codes = set()
        for session in self.sessions:
            try:
                session.sendmail(author, ["bob@dead.test"], content)
                codes.add(250)
            except smtplib.SMTPResponseException as refusal:
                codes.add(refusal.smtp_code)
        return codes

    def states(self, domain: str) -> dict[str, int]:
        """How many recipients of mail in that name are held, and how many wait to be tried."""
        predicate = Predicate(sender=SenderNames(name=domain))
        with closing(Readings(list_shards(self.relay.state_dir / "queue"))) as readings:
            rows = chain.from_iterable(readings.ask(lambda reader: reader.list_recipients(predicate, limit=1000)))
            return dict(Counter("held" if row.state.value == "held" else "waiting" for row in rows))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, self.relay.log()[-4000:]
            time.sleep(0.1)

    def _open_session(self) -> smtplib.SMTP:
        client = smtplib.SMTP("localhost", self.relay.starttls_port, timeout=20)
        client.starttls(context=ssl.create_default_context(cafile=str(self.relay.ca_file)))
        client.login("apikey", self.relay.key)
        return client


def _quote(text: str) -> str:
    return " ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200))


@pytest.fixture
def customer(tmp_path: Path) -> Iterator[Customer]:
    customer = Customer(tmp_path)
    yield customer
    for session in customer.sessions:
        session.close()
    customer.relay.close()


@pytest.mark.timeout(300)
def test_what_rests_on_a_lost_name_is_held_and_comes_back_with_it(customer: Customer) -> None:
    relay = customer.relay
    assert customer.send("ann@example.test") == customer.send("ann@news.other.test") == {250}

    removed = relay.run("domain", "remove", "--yes", "other.test", "--account", "acme")

    assert (removed.returncode, f"{SESSIONS} queued recipients held" in removed.stderr) == (0, True), removed.stderr
    assert customer.send("ann@news.other.test") == {550}
    assert customer.send("ann@example.test") == {250}
    assert (customer.states("other.test"), customer.states("example.test")) == (
        {"held": SESSIONS},
        {"waiting": 2 * SESSIONS},
    )

    customer.publish()
    customer.wait_until(lambda: customer.states("example.test") == {"held": 2 * SESSIONS})
    assert customer.send("ann@example.test") == {550}
    assert customer.states("example.test") == {"held": 2 * SESSIONS}

    customer.publish("example.test")
    customer.wait_until(lambda: customer.states("example.test") == {"waiting": 2 * SESSIONS})
    assert customer.send("ann@example.test") == {250}
    assert customer.states("other.test") == {"held": SESSIONS}

    told = relay.command("audit", "tail", "--account", "acme", "--json")
    acts = [json.loads(line)["act"] for line in told.splitlines()]
    assert [act for act in acts if act in {"domain_withdrawn", "domain_removed", "domain_verified"}] == [
        "domain_verified", "domain_verified", "domain_withdrawn", "domain_removed", "domain_withdrawn",
        "domain_verified",
    ]  # fmt: skip
    events = [
        json.loads(line)
        for line in relay.command(
            "events", "--account", "acme", "--type", "held", "--type", "released", "--json"
        ).splitlines()
    ]
    assert Counter((event["type"], event["detail"].get("reason", "")) for event in events) == {
        ("held", "domain removed"): SESSIONS,
        ("held", HELD_UNTIL_RETURN): 2 * SESSIONS,
        ("released", ""): 2 * SESSIONS,
    }
