"""How fast keys are rotated for many domains: real keys, a real database, a responder and a resolver on loopback.

    nice python -m benchmarks.dkim_rotation 1000

Prints how long it took from the request to the last switch, without the pause that published keys settle for.
"""

import asyncio
import resource
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from gatepost.network.authoritative_dns import AuthoritativeServer, ZoneSet
from gatepost.network.resolver import CachingResolver, Nameserver
from gatepost.network.response_rate_limit import ResponseRateLimit, Verdict
from gatepost.network.zone import Zone
from gatepost.runtime.compose_senders import compose_guard
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.runtime.jobs_worker import JobsParts, JobsWorker
from gatepost.runtime.own_zone import OwnZone
from gatepost.storage.leases import SqlLeases
from gatepost.storage.migrate import migrate
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.system.keyring import create_keyring
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.senders.dkim_key import generate_dkim_key, hold_selector
from gatepost.tenancy.senders.dns_plan import Relay, plan_records
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.rotation import RotationPolicy, ask_for_rotation
from gatepost.tenancy.senders.upkeep import KeyUpkeep, RecheckPolicy, RecordUpkeep

RELAY = Relay(host_name="relay.test", zone="gp.relay.test")
POLICY = RotationPolicy(rotate_after=None, retire_for=timedelta(days=10), settle_for=timedelta(0))


class Unlimited(ResponseRateLimit):
    """Answers every question: here one resolver asks them all."""

    def judge(self, address: str, kind: object) -> Verdict:  # noqa: ARG002 - as the port has it
        return Verdict.SEND


def prepare(plane: ControlPlane, count: int) -> dict[tuple[str, str], list[str]]:
    """Make verified claims, all asked for other keys; return the customers' aliases."""
    now = plane.clock.now()
    account = lifecycle.create(plane.accounts, "acme", now=now, entropy=plane.entropy)
    first = generate_dkim_key(account.id, "any.test", "s1", keyring=plane.keyring, created_at=now)
    aliases: dict[tuple[str, str], list[str]] = {}
    for number in range(count):
        claim = AuthenticatedDomain(
            name=f"d{number}.customers.test",
            account_id=account.id,
            state=DomainState.PENDING,
            dkim_keys=(first, hold_selector("s2", created_at=now)),
            created_at=now,
            return_path="em1",
            label=f"label{number}",
        )
        asked = ask_for_rotation(claim, now, is_urgent=False)
        plane.plain.domains.mark_verified(account.id, plane.plain.domains.add(asked), now)
        for each in plan_records(claim, RELAY):
            if each.type.value == "CNAME":
                aliases[each.name, "CNAME"] = [f"{each.value}."]
    return aliases


async def rotate(plane: ControlPlane, count: int, aliases: dict[tuple[str, str], list[str]]) -> None:
    """Rotate them all, two steps each, and say how long each pass took; what one has missed the next one makes good."""
    customers = Zone("customers.test", aliases, name_servers=["ns.customers.test"])
    own_zone = OwnZone(plane.domains, RELAY)
    own_zone.refresh()
    server = AuthoritativeServer(ZoneSet([]), rate_limit=Unlimited(monotonic=time.monotonic))
    await server.start("127.0.0.1", 0)
    resolver = CachingResolver([Nameserver("127.0.0.1", server.port)], monotonic=time.monotonic, max_cached=0)
    worker = JobsWorker(
        JobsParts(
            domains=plane.domains,
            leases=SqlLeases(plane.database),
            keys=KeyUpkeep(
                domains=plane.domains, keyring=plane.keyring, resolvers=(resolver,), clock=plane.clock, policy=POLICY
            ),
            records=RecordUpkeep(
                domains=plane.domains, guard=compose_guard(plane, RELAY.host_name, ()), settle=_settle_nothing,
                resolver=resolver, relay=RELAY, clock=plane.clock,
                policy=RecheckPolicy(every=timedelta(days=999)),
            ),
            clock=plane.clock,
            metrics=Metrics(),
            holder="benchmark",
            pause=timedelta(0),
        )
    )  # fmt: skip
    began = time.perf_counter()
    left = 2 * count
    while left:
        start = time.perf_counter()
        done = await worker.go_through()
        left -= done
        print(f"{'steps taken':18}{done:6} in {time.perf_counter() - start:7.1f} s", flush=True)
        if not done:
            break
        start = time.perf_counter()
        own_zone.refresh()
        server.zones = ZoneSet([customers, own_zone.zone])
        print(f"{'zone taken up':18}{'':6}    {time.perf_counter() - start:7.1f} s")
    seconds = time.perf_counter() - began
    cpu = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    switched = sum(claim.signing_keys[0].selector == "s2" for claim in plane.domains.list_kept(0, count))  # type: ignore[arg-type]
    print(f"{switched} of {count} switched in {seconds:.1f} s: {switched / seconds:.1f}/s; process CPU {cpu:.1f} s")
    await server.stop()


async def _settle_nothing(_claim: AuthenticatedDomain) -> None:
    """No mail is queued here."""


def main() -> None:
    """Run it on a database of its own."""
    count = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        place, entropy = Path(folder), SystemEntropy()
        url = f"sqlite:///{place}/control.db"
        migrate(url)
        create_keyring(place / "keyring", entropy)
        with open_control_plane(url, place / "keyring", SystemClock(), entropy) as plane:
            aliases = prepare(plane, count)
            asyncio.run(rotate(plane, count, aliases))


if __name__ == "__main__":
    main()
