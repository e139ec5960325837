import dns.message
import dns.rcode
import pytest

from gatepost.cli.demo.zone import build_zones
from gatepost.network.authoritative_dns import ZoneSet
from gatepost.tenancy.senders.dns_plan import PlannedRecord, RecordPurpose


def ask(published, name, kind):
    zones = ZoneSet(build_zones(published))
    return dns.message.from_wire(zones.answer(dns.message.make_query(name, kind).to_wire(), max_octets=65535).octets)


@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [("inbox.test", "MX", "10 mx.inbox.test."), ("mx.inbox.test", "A", "127.0.0.1"), ("relay.test", "A", "127.0.0.1")],
)
def test_receiver_and_relay_are_on_this_machine(name, kind, answer):
    assert [rdata.to_text() for rdata in ask((), name, kind).answer[0]] == [answer]


def test_published_record_is_found_whole_however_long():
    value = "v=DKIM1; p=" + "A" * 600
    record = PlannedRecord(
        purpose=RecordPurpose.DKIM, key="dkim", name="s._domainkey.example.test", value=value, is_required=True
    )

    (found,) = ask([record], record.name, "TXT").answer[0]

    assert b"".join(found.strings).decode() == value


def test_nothing_else_is_answered():
    assert ask((), "bank.example", "TXT").rcode() == dns.rcode.REFUSED
    assert ask((), "s._domainkey.example.test", "TXT").rcode() == dns.rcode.NXDOMAIN
