import re
from ipaddress import ip_network

from gatepost.standards.dkim.record import load_public_key, parse_key_record
from gatepost.standards.spf.record import parse_spf_record
from gatepost.tenancy.senders.dns_plan import RecordPurpose, plan_records

NETWORKS = (ip_network("192.0.2.0/28"), ip_network("198.51.100.7"), ip_network("2001:db8::/64"))


def plan_of(domain, networks=NETWORKS):
    return plan_records(domain, sending_networks=networks, host_name="relay.example.net")


def test_the_plan_holds_both_keys_then_spf_then_dmarc(domain):
    plan = plan_of(domain)

    rsa, ed25519 = domain.dkim_keys
    assert [(record.purpose, record.name, record.is_required) for record in plan] == [
        (RecordPurpose.DKIM, f"{rsa.selector}._domainkey.mail.example.com", True),
        (RecordPurpose.DKIM, f"{ed25519.selector}._domainkey.mail.example.com", True),
        (RecordPurpose.SPF, "mail.example.com", True),
        (RecordPurpose.DMARC, "_dmarc.mail.example.com", False),
    ]


def test_key_records_hold_the_keys(domain):
    rsa, ed25519, *_ = plan_of(domain)

    assert rsa.value == f"v=DKIM1; k=rsa; p={domain.dkim_keys[0].public_key}"
    assert ed25519.value == f"v=DKIM1; k=ed25519; p={domain.dkim_keys[1].public_key}"
    assert all(load_public_key(parse_key_record(record.value.encode())) for record in (rsa, ed25519))


def test_spf_names_the_sending_networks_and_advises_to_join(domain):
    spf = plan_of(domain)[2]

    assert spf.value == "v=spf1 ip4:192.0.2.0/28 ip4:198.51.100.7 ip6:2001:db8::/64 ~all"
    assert parse_spf_record(spf.value.encode())
    assert '"ip4:192.0.2.0/28 ip4:198.51.100.7 ip6:2001:db8::/64"' in spf.advice


def test_spf_is_not_required_where_the_networks_are_not_known(domain):
    spf = plan_of(domain, networks=())[2]

    assert spf.value == "v=spf1 a:relay.example.net ~all"
    assert not spf.is_required


def test_dmarc_asks_for_reports_only(domain):
    assert plan_of(domain)[3].value == "v=DMARC1; p=none; rua=mailto:postmaster@mail.example.com"


def test_zone_lines_split_long_values_into_strings_of_255(domain):
    record = plan_of(domain)[0]

    name, ttl, in_class, record_type, strings = record.zone_line.split(" ", 4)

    assert (name, ttl, in_class, record_type) == (record.name + ".", "3600", "IN", "TXT")
    parts = re.findall(r'"([^"]*)"', strings)
    assert [len(part) for part in parts] == [255, len(record.value) - 255]
    assert "".join(parts) == record.value
