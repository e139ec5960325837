"""What serves our own zone, and what pushes it: beside a control plane that falls silent, and a real name server."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import dns.query
import msgspec
import pytest
import structlog.testing
from tests.support.name_servers import SECRET, running_knot

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.primitives.ids import AccountId
from gatepost.runtime.compose_jobs import PUSH_EVERY, ZonePusher, push_own_zone, rotation_policy
from gatepost.runtime.dns_worker import DNSWorker
from gatepost.runtime.own_zone import OwnZone
from gatepost.runtime.settings_loader import load_settings
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.tenancy.senders.dns_plan import Relay
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, DomainState, ZoneChange

ZONE = "wl.relay.example"
RELAY = Relay(host_name="relay.test", zone=ZONE)
AT = datetime(2026, 11, 1, tzinfo=UTC)


class Source:
    """Tells what has changed, as a DomainStore does, unless it is silent."""

    def __init__(self) -> None:
        self.serial, self.labels, self.is_silent = 1, ["one"], False

    def note_zone_settings(self, settings_hash: str) -> None:
        if self.is_silent:
            raise Transient("the control plane does not answer")

    def read_zone(self, since: int) -> ZoneChange | None:
        if self.is_silent:
            raise Transient("the control plane does not answer")
        if since == self.serial:
            return None
        claims = tuple([_claim(label) for label in self.labels])
        return ZoneChange(serial=self.serial, changed=claims, labels=frozenset(self.labels))

    def add(self, label: str) -> None:
        self.labels.append(label)
        self.serial += 1


def _claim(label: str) -> AuthenticatedDomain:
    key = DKIMKey(
        selector="s1", algorithm=SigningAlgorithm.RSA_SHA256, sealed_private_key=b"", public_key="cHVi", created_at=AT
    )
    return AuthenticatedDomain(
        name=f"{label}.test", account_id=AccountId("acc_1"), state=DomainState.PENDING, dkim_keys=(key,), created_at=AT,
        return_path="em1", label=label,
    )  # fmt: skip


class Serving:
    """A DNS worker on loopback, in a task."""

    def __init__(self, source: Source) -> None:
        self.ready, self.stopping = asyncio.Event(), asyncio.Event()
        worker = DNSWorker(OwnZone(source, RELAY), on_ready=self.ready.set)
        self.udp, self.tcp = _sockets()
        self.port = self.udp.getsockname()[1]
        self.task = asyncio.create_task(worker.run_until(self.stopping, [self.udp, self.tcp]))

    async def ask(self, label: str) -> str:
        """Whether there is a key, over UDP and TCP alike."""
        query = dns.message.make_query(f"s1.domainkey.{label}.{ZONE}", "TXT")
        over_udp = await dns.asyncquery.udp(query, "127.0.0.1", timeout=5, port=self.port)
        over_tcp = await dns.asyncquery.tcp(query, "127.0.0.1", timeout=5, port=self.port)
        assert over_udp.answer == over_tcp.answer
        return "".join(str(each[0]) for each in over_udp.answer)

    async def shows(self, label: str) -> bool:
        for _ in range(100):
            if await self.ask(label):
                return True
            await asyncio.sleep(0.05)
        return False

    async def stop(self) -> None:
        self.stopping.set()
        await asyncio.wait_for(self.task, 10)
        for each in (self.udp, self.tcp):
            each.close()


def _sockets() -> tuple[socket.socket, socket.socket]:
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(tcp.getsockname())
    return udp, tcp


async def test_what_changes_is_served_and_silence_changes_nothing() -> None:
    source = Source()
    serving = Serving(source)
    await asyncio.wait_for(serving.ready.wait(), 10)
    with structlog.testing.capture_logs() as logs:
        source.is_silent = True
        await asyncio.sleep(1.2)
        shown_in_silence = await serving.ask("one")
        source.add("two")
        source.is_silent = False
        is_taken_up = await serving.shows("two")
    await serving.stop()

    assert "p=cHVi" in shown_in_silence
    assert is_taken_up
    # It is said once, however long it lasts.
    assert [each["event"] for each in logs].count("zone_not_read") == 1


async def test_a_control_plane_that_is_not_there_at_the_start_is_waited_for() -> None:
    source = Source()
    source.is_silent = True
    serving = Serving(source)
    await asyncio.sleep(0.2)
    is_early = serving.ready.is_set()

    source.is_silent = False
    await asyncio.wait_for(serving.ready.wait(), 10)
    shown = await serving.ask("one")
    await serving.stop()

    assert (is_early, "p=cHVi" in shown) == (False, True)


async def test_one_that_waits_for_the_control_plane_can_be_stopped() -> None:
    source = Source()
    source.is_silent = True
    serving = Serving(source)

    await serving.stop()

    assert not serving.ready.is_set()


def settings(tmp_path: Path, port: int, **dns: Any) -> Any:
    (tmp_path / "certificate.pem").touch()
    config = tmp_path / "gatepost.toml"
    config.write_text(
        f'host_name = "relay.test"\nstate_dir = "{tmp_path}"\n[[listeners]]\nport = 2525\ntls = "starttls"\n'
        f'[tls]\ncertificate = "{tmp_path}/certificate.pem"\nprivate_key = "{tmp_path}/certificate.pem"\n'
        f'[dns]\nzone = "{ZONE}"\nserve = false\n[dns.push]\nserver = "127.0.0.1:{port}"\nkey_name = "gatepost"\n'
        f'key_secret = "{SECRET}"\n'
    )
    return load_settings(config, {})


@pytest.fixture
def knot(tmp_path: Path) -> Iterator[int]:
    with running_knot(tmp_path, ZONE) as port:
        yield port


def key_at(port: int, label: str) -> str:
    query = dns.message.make_query(f"s1.domainkey.{label}.{ZONE}", "TXT")
    return "".join(str(each[0]) for each in dns.query.udp(query, "127.0.0.1", timeout=5, port=port).answer)


@pytest.mark.debian
def test_a_change_is_pushed_at_once_and_what_others_changed_is_mended_in_time(knot: int, tmp_path: Path) -> None:
    source, now = Source(), [0.0]
    pusher = ZonePusher(settings(tmp_path, knot), source, lambda: now[0])  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as logs:
        asyncio.run(pusher.push())
        first = key_at(knot, "one")
        source.add("two")
        asyncio.run(pusher.push())
        second = key_at(knot, "two")
        # Somebody empties the zone over there: nothing has changed here, so it is looked for only every while.
        other = Source()
        other.labels = []
        asyncio.run(push_own_zone(settings(tmp_path, knot), other))  # type: ignore[arg-type]
        asyncio.run(pusher.push())
        not_yet = key_at(knot, "one")
        now[0] += PUSH_EVERY.total_seconds()
        asyncio.run(pusher.push())
        mended = key_at(knot, "one")

    assert ["p=cHVi" in each for each in (first, second, not_yet, mended)] == [True, True, False, True]
    # Two sets for the return path and one for each key.
    assert [each["changed"] for each in logs if each["event"] == "zone_pushed"] == [3, 3, 6]


@pytest.mark.debian
def test_a_push_that_failed_is_made_good_by_the_next(tmp_path: Path) -> None:
    source = Source()
    with running_knot(tmp_path, ZONE) as port:
        made = settings(tmp_path, port)
    pusher = ZonePusher(made, source, lambda: 0.0)  # type: ignore[arg-type]
    with pytest.raises(Transient):
        asyncio.run(pusher.push())
    with pytest.raises(Transient):
        # Though nothing has changed since: it is still to be done.
        asyncio.run(pusher.push())


def test_without_a_server_to_push_to_it_is_said_which_settings_are_missing(tmp_path: Path) -> None:
    made = settings(tmp_path, 53)
    for push in ({"server": ""}, {"key_secret": None}):
        changed = _with_push(made, **push)
        with pytest.raises(Misconfigured, match=r"\[dns.push\] server, key_name, key_secret_file"):
            asyncio.run(push_own_zone(changed, Source()))  # type: ignore[arg-type]


def _with_push(made: Any, **more: Any) -> Any:
    push = msgspec.structs.replace(made.dns.push, **more)
    return msgspec.structs.replace(made, dns=msgspec.structs.replace(made.dns, push=push))


def test_keys_are_kept_for_as_long_as_a_message_may_need_them(tmp_path: Path) -> None:
    made = settings(tmp_path, 53)
    never = msgspec.structs.replace(made, dkim=msgspec.structs.replace(made.dkim, rotates_by_itself=False))

    assert rotation_policy(made).rotate_after == timedelta(days=180)
    assert rotation_policy(made).retire_for >= made.queue.expire_after + timedelta(days=7)
    assert rotation_policy(never).rotate_after is None
