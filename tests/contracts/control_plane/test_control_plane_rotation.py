"""Automatic security on the real engines: claims, our own zone, rotation by request, and what a release leaves."""

import json
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

import pytest
from click.testing import Result

from gatepost.cli.dkim import dkim
from gatepost.cli.dns import dns
from gatepost.cli.domain import domain as domain_group
from gatepost.runtime.compose_senders import compose_guard
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.jobs_worker import JobsParts, JobsWorker
from gatepost.runtime.own_zone import OwnZone
from gatepost.storage.leases import SqlLeases
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.dkim_key import SigningKeys
from gatepost.tenancy.senders.dns_plan import Relay
from gatepost.tenancy.senders.domain import AuthenticatedDomain, KeyState
from gatepost.tenancy.senders.upkeep import KeyUpkeep, RecheckPolicy, RecordUpkeep

ZONE = "gp.relay.example"
RELAY = Relay(host_name="mail.relay.example", sending_networks=(IPv4Network("198.51.100.0/24"),), zone=ZONE)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def rival(control_plane: ControlPlane, account: Account) -> Account:
    return lifecycle.create(
        control_plane.accounts, "rival", now=control_plane.clock.now(), entropy=control_plane.entropy
    )


@pytest.fixture
def relay(commands: Any) -> Any:
    """The commands of a relay that has a zone of its own."""
    commands.settings.dns.zone = ZONE
    return commands


@pytest.fixture
def own_zone(other_process: ControlPlane) -> OwnZone:
    """Another process that serves the zone."""
    return OwnZone(other_process.domains, RELAY)


def add(relay: Any, account: str = "acme", *options: str) -> dict[str, str]:
    """Add the domain; return where its aliases lead."""
    result = relay.run(domain_group, "add", "example.com", "--account", account, "--json", *options)
    assert result.exit_code == 0, result.output
    return {each["name"]: each["value"] for each in json.loads(result.stdout) if each["type"] == "CNAME"}


def verify(relay: Any, account: str = "acme") -> Result:
    result: Result = relay.run(domain_group, "verify", "example.com", "--account", account)
    return result


def find(plane: ControlPlane, account: Account) -> AuthenticatedDomain:
    claim = plane.domains.find(account.id, "example.com")
    assert claim is not None
    return claim


def publish_zone(relay: Any, own_zone: OwnZone) -> None:
    """Let the resolver see our zone as it is now."""
    own_zone.refresh()
    relay.dns.texts = {
        rrset.name.to_text(omit_final_dot=True): [b"".join(record.strings) for record in rrset]
        for rrset in own_zone.zone
        if rrset.rdtype.name == "TXT"
    }


async def nothing_to_settle(_: AuthenticatedDomain) -> None:
    """No claim is withdrawn here."""
    raise AssertionError


def jobs(plane: ControlPlane, relay: Any) -> JobsWorker:
    return JobsWorker(
        JobsParts(
            domains=plane.domains,
            leases=SqlLeases(plane.database),
            keys=KeyUpkeep(
                domains=plane.domains,
                keyring=plane.keyring,
                resolvers=(relay.dns,),
                clock=plane.clock,
                policy=relay.rotation_policy(),
            ),
            records=RecordUpkeep(
                domains=plane.domains,
                guard=compose_guard(plane, RELAY.host_name, ()),
                settle=nothing_to_settle,
                resolver=relay.dns,
                relay=RELAY,
                clock=plane.clock,
                policy=RecheckPolicy(every=timedelta(days=999)),
            ),
            clock=plane.clock,
            metrics=Metrics(),
            holder="this",
            pause=timedelta(),
        )
    )


def test_three_aliases_are_asked_for_and_prove_the_domain(relay: Any, own_zone: OwnZone) -> None:
    relay.dns.aliases = add(relay, "acme", "--return-path", "em7")
    publish_zone(relay, own_zone)

    assert sorted(relay.dns.aliases) == ["em7.example.com", "s1._domainkey.example.com", "s2._domainkey.example.com"]
    assert verify(relay).exit_code == 0
    texts = list(relay.dns.texts.values())
    assert [text[:14] for (text,) in sorted(texts)] == [b"v=DKIM1; k=rsa", b"v=DKIM1; k=rsa", b"v=spf1 ip4:198"]


def test_automatic_security_needs_a_zone(commands: Any) -> None:
    result = commands.run(domain_group, "add", "example.com", "--account", "acme", "--automatic")

    assert result.exit_code == 2
    assert "set [dns] zone" in result.output


def test_manual_security_is_there_beside_it(relay: Any) -> None:
    assert add(relay, "acme", "--manual") == {}


def test_a_name_that_was_released_is_not_proved_by_aliases_that_were_left_behind(
    relay: Any, own_zone: OwnZone, control_plane: ControlPlane, account: Account, rival: Account
) -> None:
    old = relay.dns.aliases = add(relay, "acme", "--return-path", "em7")
    publish_zone(relay, own_zone)
    assert verify(relay).exit_code == 0
    old_label = find(control_plane, account).label
    removed = relay.run(domain_group, "remove", "example.com", "--account", "acme", "--yes")
    assert removed.exit_code == 0, removed.output

    new = add(relay, "rival", "--return-path", "em7")
    publish_zone(relay, own_zone)

    assert find(control_plane, rival).label != old_label
    assert new.keys() == old.keys()
    assert set(new.values()).isdisjoint(old.values())
    assert set(old.values()).isdisjoint(relay.dns.texts)
    refused = verify(relay, "rival")
    assert refused.exit_code == 1
    assert "it must lead to" in refused.output
    assert control_plane.domains.find_verified("example.com") is None


async def test_a_rotation_that_was_asked_for_goes_its_way(
    relay: Any,
    own_zone: OwnZone,
    control_plane: ControlPlane,
    other_process: ControlPlane,
    account: Account,
    clock: Any,
) -> None:
    relay.dns.aliases = add(relay)
    publish_zone(relay, own_zone)
    findings = await _prove(relay, control_plane, account)
    assert findings
    worker = jobs(control_plane, relay)
    assert await worker.go_through() == 0
    ask(relay, clock)

    clock.instant += MINUTE
    assert await worker.go_through() == 1
    assert own_zone.refresh()
    clock.instant += MINUTE
    assert await worker.go_through() == 0
    publish_zone(relay, own_zone)
    worker = jobs(control_plane, relay)
    signing = other_process.domains.find_verified("example.com")
    assert signing is not None
    assert [key.selector for key in signing.signing_keys] == ["s1"]

    assert await worker.go_through() == 1

    signing = other_process.domains.find_verified("example.com")
    assert signing is not None
    assert [key.selector for key in signing.signing_keys] == ["s2"]
    (ready,) = SigningKeys(control_plane.keyring).keys_for(signing)
    assert ready.selector == "s2"
    clock.instant += timedelta(days=10)
    assert await worker.go_through() == 1
    states = [(key.selector, key.state) for key in find(control_plane, account).dkim_keys]
    assert sorted(states) == [("s1", KeyState.EMPTIED), ("s2", KeyState.ACTIVE)]
    status = json.loads(relay.run(dkim, "status", "--account", "acme", "--json").stdout)
    assert [(row["domain"], set(row["state"].split())) for row in status] == [("example.com", {"active", "emptied"})]


def ask(relay: Any, clock: Any) -> None:
    clock.instant += timedelta(hours=2)
    first = relay.run(dkim, "rotate", "--all")
    again = relay.run(dkim, "rotate", "--all")
    assert "for 1 domains" in first.stderr
    assert "for 0 domains" in again.stderr
    assert json.loads(relay.run(dkim, "status", "--json").stdout) == {"rotating": 1}


async def _prove(relay: Any, plane: ControlPlane, account: Account) -> bool:
    # The command runs an event loop of its own; here is one already.
    claim = find(plane, account)
    plane.domains.mark_verified(account.id, claim.id, plane.clock.now())
    return True


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["rotate"], "name a domain, or give --all"),
        (["rotate", "example.com", "--all"], "name a domain, or give --all"),
        (["rotate", "example.com"], "--account"),
        (["rotate", "other.example", "--account", "acme"], "has no domain other.example"),
    ],
    ids=str,
)
def test_what_cannot_be_rotated_is_said(relay: Any, arguments: list[str], text: str) -> None:
    result = relay.run(dkim, *arguments)

    assert result.exit_code != 0
    assert text in result.output


def test_the_zone_is_exported_with_the_keys_and_pushed(relay: Any, own_zone: OwnZone) -> None:
    add(relay)
    own_zone.refresh()
    relay.pushed = [4, 0]

    exported = relay.run(dns, "export")

    assert exported.stdout == own_zone.zone.to_text()
    assert "v=DKIM1; k=rsa; p=MII" in exported.stdout
    assert "4 sets" in relay.run(dns, "push").stderr
    assert "everything already" in relay.run(dns, "push").stderr


def test_a_rotation_of_one_domain_is_recorded(relay: Any, control_plane: ControlPlane, account: Account) -> None:
    add(relay, "acme", "--manual")

    result = relay.run(dkim, "rotate", "example.com", "--account", "acme", "--emergency")

    claim = find(control_plane, account)
    assert claim.rotation_is_urgent
    assert claim.rotation_requested_at == control_plane.clock.now()
    assert "has to publish them" in result.stderr
