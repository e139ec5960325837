import re
from dataclasses import replace
from ipaddress import ip_network

from gatepost.standards.dkim.record import load_public_key, parse_key_record
from gatepost.standards.dns.question import RecordType
from gatepost.standards.spf.record import parse_spf_record
from gatepost.tenancy.senders.dns_plan import RecordPurpose, Relay, plan_own_zone, plan_records
from gatepost.tenancy.senders.domain import KeyState

NETWORKS = (ip_network("192.0.2.0/28"), ip_network("198.51.100.7"), ip_network("2001:db8::/64"))


def plan_of(domain, networks=NETWORKS):
    return plan_records(domain, Relay(host_name="relay.example.net", sending_networks=networks))


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


OURS = Relay(host_name="relay.example.net", sending_networks=NETWORKS, zone="wl.example.net")


def automatic(domain):
    active = replace(domain.dkim_keys[0], selector="s2")
    idle = replace(active, selector="s1", state=KeyState.EMPTIED, sealed_private_key=b"", public_key="")
    return replace(domain, label="u7x", return_path="em7", dkim_keys=(active, idle))


def test_automatic_security_asks_for_three_aliases_once(domain):
    plan = plan_records(automatic(domain), OURS)

    assert [(each.key, each.zone_line, each.is_required) for each in plan[:3]] == [
        ("mail_cname", "em7.mail.example.com. 3600 IN CNAME u7x.wl.example.net.", True),
        (
            "dkim1",
            "s1._domainkey.mail.example.com. 3600 IN CNAME s1.domainkey.u7x.wl.example.net.",
            True,
        ),
        (
            "dkim2",
            "s2._domainkey.mail.example.com. 3600 IN CNAME s2.domainkey.u7x.wl.example.net.",
            True,
        ),
    ]
    assert [each.key for each in plan[3:]] == ["dmarc"]


def test_our_zone_answers_where_the_aliases_lead(domain):
    claim = automatic(domain)

    zone = plan_own_zone([claim], OURS)

    aliases = {each.value for each in plan_records(claim, OURS) if each.type is RecordType.CNAME}
    assert {name for name, _ in zone} == aliases
    assert zone["u7x.wl.example.net", "MX"] == ["10 relay.example.net."]
    assert zone["u7x.wl.example.net", "TXT"] == ['"v=spf1 ip4:192.0.2.0/28 ip4:198.51.100.7 ip6:2001:db8::/64 -all"']
    (emptied,) = zone["s1.domainkey.u7x.wl.example.net", "TXT"]
    assert emptied == '"v=DKIM1; k=rsa; p="'
    (key,) = zone["s2.domainkey.u7x.wl.example.net", "TXT"]
    assert key.replace('" "', "").strip('"') == f"v=DKIM1; k=rsa; p={claim.dkim_keys[0].public_key}"


def test_a_custom_spf_names_the_claim_s_own_addresses(domain):
    claim = replace(automatic(domain), custom_spf=True, addresses=("192.0.2.3",))

    assert plan_own_zone([claim], OURS)["u7x.wl.example.net", "TXT"] == ['"v=spf1 ip4:192.0.2.3 -all"']


def test_manual_security_with_a_return_path_asks_for_its_exchanger_and_its_spf(domain):
    plan = plan_records(replace(domain, return_path="em7"), OURS)

    assert [(each.key, each.type.value, each.name) for each in plan[:3]] == [
        ("mail_server", "MX", "em7.mail.example.com"),
        ("subdomain_spf", "TXT", "em7.mail.example.com"),
        ("dkim", "TXT", f"{domain.dkim_keys[0].selector}._domainkey.mail.example.com"),
    ]
    assert plan[0].zone_line == "em7.mail.example.com. 3600 IN MX 10 relay.example.net."


def test_an_emptied_key_of_manual_security_is_asked_for_no_more(domain):
    gone, kept = domain.dkim_keys
    claim = replace(domain, dkim_keys=(replace(gone, state=KeyState.EMPTIED, public_key=""), kept))

    keys = [each for each in plan_records(claim, OURS) if each.purpose is RecordPurpose.DKIM]

    assert [each.name for each in keys] == [f"{kept.selector}._domainkey.mail.example.com"]
