"""Two machines on one PostgreSQL: both serve one zone, and a rotation that dies with one is finished by the other."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer
from tests.support.relay import OWN_RECORDS, Relay
from tests.support.unbound import Unbound

from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.runtime.own_zone import read_own_zone
from gatepost.runtime.settings_loader import load_settings
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.senders.claim import Wish, claim_domain
from gatepost.tenancy.senders.dns_plan import Relay as Own
from gatepost.tenancy.senders.dns_plan import plan_records
from gatepost.tenancy.senders.domain import UNNUMBERED
from gatepost.tenancy.senders.rotation import ask_for_rotation

# Two services are started, and a lease has to run out.
pytestmark = [pytest.mark.debian, pytest.mark.timeout(300)]

ZONE = "gp.relay.example"
OWN = Own(host_name="relay.test", zone=ZONE)
SETTINGS = """
[dns]
zone = "{zone}"
name_servers = ["ns1.gp.relay.example", "ns2.gp.relay.example"]
address = "127.0.0.1"
port = {port}

[dkim]
rotates_by_itself = false
settle_for = "3s"
retire_for = "900s"
"""


class Machines:
    """Two installations with one control plane and one keyring; resolvers ask the second one's responder."""

    def __init__(self, folder: Path, postgresql: PostgresqlServer) -> None:
        self.ports = [free_port(), free_port()]
        self.postgresql, self.database = postgresql, postgresql.create_database()
        url = folder / "database_url"
        url.write_text(postgresql.url(self.database))
        url.chmod(0o600)

        def resolver_for(zone_of_customer: str) -> str:
            self.unbound = Unbound(folder, {"test": zone_of_customer, ZONE: f"127.0.0.1:{self.ports[1]}"})
            return self.unbound.address

        def make(name: str, port: int, resolver: Callable[[str], str], **more: Any) -> Relay:
            return Relay(
                folder / name, {}, workers=1, head=f'database_url_file = "{url}"', resolver_for=resolver,
                extra=SETTINGS.format(zone=ZONE, port=port), **more,
            )  # fmt: skip

        first = make("a", self.ports[0], resolver_for)
        second = make("b", self.ports[1], lambda _: self.unbound.address, template=first)
        self.relays = [first, second]

    def open(self) -> ControlPlane:
        """Open the control plane as a command would, which costs a process each."""
        keyring = self.relays[0].state_dir / "keyring"
        return open_control_plane(self.postgresql.url(self.database), keyring, SystemClock(), SystemEntropy())

    def publish(self, *names: str) -> None:
        """Claim domains, publish their aliases, and have all of them be asked for other keys."""
        aliases = {}
        with self.open() as plane:
            account = plane.accounts.find_by_name("acme")
            assert account is not None
            for name in names:
                claim = claim_domain(
                    plane.domains, account.id, name, keyring=plane.keyring, entropy=plane.entropy,
                    now=plane.clock.now(), wish=Wish(is_automatic=True),
                )  # fmt: skip
                required = [each for each in plan_records(claim, OWN) if each.is_required]
                aliases |= {(each.name, each.type.value): [each.rdata] for each in required}
                plane.domains.mark_verified(account.id, claim.id, plane.clock.now())
        self.relays[0].zone.publish({**OWN_RECORDS, **aliases})

    def rotate(self) -> None:
        """What ``gatepost dkim rotate --all`` does."""
        with self.open() as plane:
            now = plane.clock.now()
            for claim in plane.domains.list_kept(UNNUMBERED, 100):
                if claim.is_automatic:
                    plane.domains.change(
                        claim.account_id, claim.id, lambda claim: ask_for_rotation(claim, now, is_urgent=False)
                    )

    def export(self, machine: int) -> str:
        """Our own zone, as that machine's settings make it."""
        settings = load_settings(self.relays[machine].config, {})
        with self.open() as plane:
            return read_own_zone(plane.domains, settings).to_text()

    def ask(self, machine: int, name: str, kind: str) -> list[str]:
        query = dns.message.make_query(name, kind)
        response, _ = dns.query.udp_with_fallback(query, "127.0.0.1", port=self.ports[machine], timeout=5)
        return sorted(str(record) for rrset in response.answer for record in rrset)

    def serial(self, machine: int) -> int:
        (soa,) = self.ask(machine, ZONE, "SOA")
        return int(soa.split()[2])

    def steps(self, machine: int) -> list[tuple[str, int]]:
        """What its jobs process has done: which step, of which claim."""
        lines = self.relays[machine].log_lines()
        return [(each["step"], each["claim"]) for each in lines if each.get("event") == "dkim_step"]

    def lease_holder(self) -> str:
        return self.postgresql.execute("SELECT holder FROM leases", self.database).strip()

    def close(self) -> None:
        for relay in self.relays:
            relay.close()
        self.unbound.stop()


def wait_until(claim: Callable[[], bool], *, seconds: float, log: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, log()[-4000:]
        time.sleep(0.1)


@pytest.fixture
def machines(tmp_path: Path, postgresql: PostgresqlServer) -> Iterator[Machines]:
    machines = Machines(tmp_path, postgresql)
    yield machines
    machines.close()


def test_a_rotation_that_died_with_one_machine_is_finished_by_the_other_and_no_step_is_taken_twice(
    machines: Machines,
) -> None:
    first, second = machines.relays
    first.start()
    # The lease is the first machine's, as it was alone; the second one's jobs process stands by.
    wait_until(lambda: bool(machines.lease_holder()), seconds=60, log=first.log)
    holder = machines.lease_holder()
    second.start()
    machines.publish("one.test", "two.test", "three.test")
    assert_one_zone(machines)

    machines.rotate()
    wait_until(lambda: len(machines.steps(0)) == 3, seconds=60, log=first.log)
    assert machines.lease_holder() == holder
    os.kill(int(holder.split("/")[1]), signal.SIGKILL)
    first.kill_supervisor()
    published = machines.steps(0)
    wait_until(lambda: len(machines.steps(1)) == 3, seconds=90, log=second.log)

    assert [step for step, _ in published] == ["publish"] * 3
    assert [step for step, _ in machines.steps(1)] == ["check"] * 3
    assert {claim for _, claim in published} == {claim for _, claim in machines.steps(1)}
    with machines.open() as plane:
        claims = [each for each in plane.domains.list_kept(UNNUMBERED, 100) if each.is_automatic]
    assert [[key.selector for key in each.signing_keys] for each in claims] == [["s2"]] * 3


def assert_one_zone(machines: Machines) -> None:
    """Both responders come to the same serial, and then answer alike."""
    wait_until(lambda: machines.serial(0) == machines.serial(1), seconds=30, log=machines.relays[1].log)
    zones = [machines.export(machine) for machine in (0, 1)]
    texts = [line.split()[0].removesuffix(".") for line in zones[0].splitlines() if " TXT " in line]

    assert zones[0] == zones[1]
    assert len(texts) >= 6
    for name in texts:
        assert machines.ask(0, name, "TXT") == machines.ask(1, name, "TXT") != []
    for kind in ("SOA", "NS"):
        assert machines.ask(0, ZONE, kind) == machines.ask(1, ZONE, kind) != []
