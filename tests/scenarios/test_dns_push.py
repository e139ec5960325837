"""The jobs process keeps a name server of the operator's up to our zone, and rotates keys behind it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest
from tests.support.name_servers import SECRET, running_knot
from tests.support.relay import OWN_RECORDS, Relay
from tests.support.unbound import Unbound

pytestmark = [pytest.mark.debian, pytest.mark.timeout(300)]

ZONE = "wl.relay.example"
SETTINGS = """
[dns]
zone = "{zone}"
serve = false

[dns.push]
server = "127.0.0.1:{port}"
key_name = "gatepost"
key_secret = "{secret}"

[dkim]
rotates_by_itself = false
settle_for = "1s"
retire_for = "900s"
"""


@pytest.fixture
def knot(tmp_path: Path) -> Iterator[int]:
    with running_knot(tmp_path, ZONE) as port:
        yield port


@pytest.fixture
def relay(tmp_path: Path, knot: int) -> Iterator[Relay]:
    resolvers: list[Unbound] = []

    def resolver_for(zone_of_customer: str) -> str:
        resolvers.append(Unbound(tmp_path, {"test": zone_of_customer, ZONE: f"127.0.0.1:{knot}"}))
        return resolvers[0].address

    relay = Relay(
        tmp_path / "relay", {}, workers=1, resolver_for=resolver_for,
        extra=SETTINGS.format(zone=ZONE, port=knot, secret=SECRET),
    )  # fmt: skip
    yield relay
    relay.close()
    resolvers[0].stop()


def texts(port: int, name: str) -> list[str]:
    query = dns.message.make_query(name, "TXT")
    response, _ = dns.query.udp_with_fallback(query, "127.0.0.1", port=port, timeout=5)
    return [str(record) for rrset in response.answer for record in rrset]


def wait_until(claim: Callable[[], bool], relay: Relay) -> None:
    deadline = time.monotonic() + 90
    while not claim():
        assert time.monotonic() < deadline, relay.log()[-4000:]
        time.sleep(0.1)


def test_a_key_is_rotated_behind_a_name_server_that_is_pushed_to(knot: int, relay: Relay) -> None:
    relay.start()
    added = relay.command("domain", "add", "customer.test", "--account", "acme", "--automatic", "--json")
    aliases = {each["name"]: each["value"] for each in json.loads(added) if each["is_required"]}
    relay.zone.publish({**OWN_RECORDS, **{(name, "CNAME"): [f"{target}."] for name, target in aliases.items()}})
    first, second = (aliases[f"{selector}._domainkey.customer.test"] for selector in ("s1", "s2"))
    wait_until(lambda: any("p=" in text for text in texts(knot, first)), relay)
    relay.command("domain", "verify", "customer.test", "--account", "acme")
    assert "p=MII" not in "".join(texts(knot, second))

    relay.command("dkim", "rotate", "customer.test", "--account", "acme")
    steps = lambda: [each["step"] for each in relay.log_lines() if each.get("event") == "dkim_step"]  # noqa: E731
    wait_until(lambda: steps() == ["publish", "check"], relay)

    # What signs now was seen through a resolver that knows of it from the pushed server alone.
    assert "p=MII" in "".join(texts(knot, second))
    assert [each["event"] for each in relay.log_lines() if each.get("event") == "zone_pushed"]
