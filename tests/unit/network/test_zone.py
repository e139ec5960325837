import dns.name
import dns.rdatatype
import dns.zone
import pytest

from gatepost.network.zone import Zone
from gatepost.primitives.errors import Misconfigured

RECORDS = {
    ("example.test", "MX"): ["10 mx.example.test."],
    ("alias.example.test", "CNAME"): ["elsewhere.invalid."],
    ("s1._domainkey.example.test", "TXT"): ['"' + "k" * 200 + '" "; \\" \\\\"'],
}


def zone(records=RECORDS, **more) -> Zone:
    return Zone("example.test", records, name_servers=["ns1.example.test", "ns2.example.net"], **more)


def test_the_master_file_says_what_the_zone_says():
    ours = zone(serial=7)

    read = dns.zone.from_text(ours.to_text(), origin="example.test", relativize=False)

    assert {(name, rdataset.rdtype, frozenset(rdataset)) for name, rdataset in read.iterate_rdatasets()} == {
        (rrset.name, rrset.rdtype, frozenset(rrset)) for rrset in ours
    }
    assert read.get_soa().serial == 7


def test_all_name_servers_are_named_and_the_first_is_the_primary():
    ours = zone()

    servers = ours.find(ours.origin, dns.rdatatype.NS)
    assert servers is not None
    assert {str(each) for each in servers} == {"ns1.example.test.", "ns2.example.net."}
    assert ours.soa[0].mname == dns.name.from_text("ns1.example.test")


def test_the_contact_is_spelled_as_the_soa_wants_it():
    ours = zone(contact="dns.team@example.com")

    assert ours.soa[0].rname == dns.name.from_text("dns\\.team.example.com")


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ({("example.org", "A"): ["192.0.2.1"]}, "example.org. lies outside it"),
        ({("a.example.test", "CNAME"): ["b."], ("a.example.test", "A"): ["192.0.2.1"]}, "a CNAME and other records"),
        ({("a.example.test", "A"): ["no address"]}, "cannot be served"),
        ({("a..example.test", "A"): ["192.0.2.1"]}, "cannot be served"),
        ({("a.example.test", "NONSENSE"): ["x"]}, "cannot be served"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_reason(records, reason):
    with pytest.raises(Misconfigured, match=reason):
        zone(records)
