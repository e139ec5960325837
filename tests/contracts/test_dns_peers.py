"""Our zones beside name servers that others wrote: Debian's unbound, nsd and knot, each started by the test."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest
from tests.support.dns_zone import DNSZone
from tests.support.name_servers import SECRET, program, running, running_knot
from tests.support.ports import free_port

from gatepost.network.dns_update import UpdateKey, push_zone
from gatepost.network.resolver import Nameserver
from gatepost.network.zone import Zone
from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.primitives.secret import Secret

pytestmark = pytest.mark.debian

KEY_TEXT = '"v=DKIM1; k=rsa; p=' + "A" * 200 + '" "' + "B" * 190 + '"'
RECORDS = {
    ("ns.wl.example.test", "A"): ["127.0.0.1"],
    ("u1.wl.example.test", "MX"): ["10 mx.example.test."],
    ("u1.wl.example.test", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
    ("s1.domainkey.u1.wl.example.test", "TXT"): [KEY_TEXT],
    ("alias.wl.example.test", "CNAME"): ["u1.wl.example.test."],
}
KEY = UpdateKey(name="gatepost.", algorithm="hmac-sha256", secret=Secret(SECRET))


def zone(records=RECORDS) -> Zone:
    return Zone("wl.example.test", records, name_servers=["ns.wl.example.test"], serial=7)


def ask(port: int, name: str, kind: str) -> dns.message.Message:
    response, _ = dns.query.udp_with_fallback(dns.message.make_query(name, kind), "127.0.0.1", port=port, timeout=5)
    return response


@pytest.fixture
def responder() -> Iterator[DNSZone]:
    server = DNSZone("wl.example.test", RECORDS)
    yield server
    server.stop()


def test_unbound_resolves_through_us(responder: DNSZone, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "unbound.conf").write_text(
        f"""
server:
  interface: 127.0.0.1@{port}
  chroot: ""
  username: ""
  pidfile: ""
  directory: "{tmp_path}"
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  use-caps-for-id: yes
  local-zone: "test." transparent
stub-zone:
  name: "wl.example.test"
  stub-addr: {responder.address.replace(":", "@")}
  stub-prime: no
"""
    )
    command = (program("unbound", "unbound"), "-d", "-c", str(tmp_path / "unbound.conf"))
    with running(*command, port=port, log=tmp_path / "log"):
        key = ask(port, "s1.domainkey.u1.wl.example.test", "TXT")
        alias = ask(port, "alias.wl.example.test", "MX")
        absent = ask(port, "absent.wl.example.test", "A")
        no_data = ask(port, "domainkey.u1.wl.example.test", "A")

    assert b"".join(key.answer[0][0].strings) == b"v=DKIM1; k=rsa; p=" + b"A" * 200 + b"B" * 190
    assert [rrset.to_text().split()[3] for rrset in alias.answer] == ["CNAME", "MX"]
    assert absent.rcode() == dns.rcode.NXDOMAIN
    assert (no_data.rcode(), no_data.answer) == (dns.rcode.NOERROR, [])


def test_nsd_loads_what_we_export_and_answers_as_we_do(responder: DNSZone, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "zone").write_text(zone().to_text())
    check = program("nsd-checkzone", "nsd")
    checked = subprocess.run([check, "wl.example.test", tmp_path / "zone"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (tmp_path / "nsd.conf").write_text(
        f"""
server:
  ip-address: 127.0.0.1@{port}
  chroot: ""
  username: ""
  pidfile: "{tmp_path}/pid"
  zonesdir: "{tmp_path}"
  database: ""
  xfrdir: "{tmp_path}"
  xfrdfile: "{tmp_path}/xfrd.state"
  zonelistfile: "{tmp_path}/zone.list"
remote-control:
  control-enable: no
zone:
  name: "wl.example.test"
  zonefile: "zone"
"""
    )
    command = (program("nsd", "nsd"), "-d", "-c", str(tmp_path / "nsd.conf"))
    questions = [(name, kind) for name, kind in RECORDS] + [
        ("absent.wl.example.test", "A"),
        ("domainkey.u1.wl.example.test", "A"),
        ("u1.wl.example.test", "AAAA"),
        ("alias.wl.example.test", "MX"),
        ("wl.example.test", "NS"),
    ]
    ours = int(responder.address.rpartition(":")[2])
    with running(*command, port=port, log=tmp_path / "log"):
        for name, kind in questions:
            theirs, mine = ask(port, name, kind), ask(ours, name, kind)

            assert mine.rcode() == theirs.rcode(), (name, kind)
            assert mine.flags == theirs.flags, (name, kind)
            assert _records(mine) == _records(theirs), (name, kind)


def _records(message: dns.message.Message) -> set[str]:
    return {line for rrset in message.answer for line in rrset.to_text().splitlines()}


@pytest.fixture
def knot(tmp_path: Path) -> Iterator[int]:
    """A server that lets one key transfer and update the zone; its port."""
    with running_knot(tmp_path, "wl.example.test") as port:
        yield port


def test_knot_takes_what_we_push_and_then_only_what_changed(knot: int) -> None:
    server = Nameserver("127.0.0.1", knot)
    changed = {key: held for key, held in RECORDS.items() if key[0] != "alias.wl.example.test"}
    changed["u1.wl.example.test", "TXT"] = ['"v=spf1 ip4:198.51.100.0/24 -all"']
    changed["alias.wl.example.test", "A"] = ["127.0.0.9"]

    counts = [asyncio.run(push_zone(pushed, server, KEY)) for pushed in (zone(), zone(), zone(changed))]

    assert counts == [len(RECORDS), 0, 3]
    assert [str(each) for each in ask(knot, "u1.wl.example.test", "TXT").answer[0]] == [
        '"v=spf1 ip4:198.51.100.0/24 -all"'
    ]
    assert [str(each) for each in ask(knot, "alias.wl.example.test", "A").answer[0]] == ["127.0.0.9"]
    assert [str(each) for each in ask(knot, "wl.example.test", "NS").answer[0]] == ["ns.knot.test."]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (UpdateKey(name="stranger.", algorithm="hmac-sha256", secret=Secret(SECRET)), "refuses to transfer"),
        (UpdateKey(name="gatepost.", algorithm="hmac-sha256", secret=Secret("c3RyYW5nZXI=")), "refuses to transfer"),
        (UpdateKey(name="gatepost.", algorithm="hmac-sha256", secret=Secret("?")), "has to be base64"),
        (UpdateKey(name="gatepost.", algorithm="rot13", secret=Secret(SECRET)), "such as hmac-sha256"),
    ],
)
def test_a_key_that_the_server_does_not_take_is_said_so(knot: int, key: UpdateKey, reason: str) -> None:
    with pytest.raises(Misconfigured, match=reason) as caught:
        asyncio.run(push_zone(zone(), Nameserver("127.0.0.1", knot), key))

    assert key.secret.reveal() not in str(caught.value)


def test_a_server_that_is_not_there_is_trouble_that_passes() -> None:
    with pytest.raises(Transient, match="did not send"):
        asyncio.run(push_zone(zone(), Nameserver("127.0.0.1", free_port()), KEY))
