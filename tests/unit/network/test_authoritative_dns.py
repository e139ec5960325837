import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.update
import pytest

from gatepost.network.authoritative_dns import MAX_UDP_OCTETS, ZoneSet
from gatepost.network.zone import Zone

ZONES = ZoneSet(
    [
        Zone(
            "example.test",
            {
                ("example.test", "MX"): ["10 mx.example.test."],
                ("mx.example.test", "A"): ["127.0.0.1"],
                ("alias.example.test", "CNAME"): ["mx.example.test."],
                ("out.example.test", "CNAME"): ["elsewhere.invalid."],
                ("loop.example.test", "CNAME"): ["loop.example.test."],
                ("s1._domainkey.example.test", "TXT"): ['"' + "k" * 200 + '" "' + "k" * 200 + '"'],
                ("many.example.test", "TXT"): [f'"{n:03d}{"x" * 100}"' for n in range(40)],
            },
            name_servers=["ns.example.test"],
        )
    ]
)


def ask(name: str, kind: str, *, max_octets: int = 65535, payload: int = 1232) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0, payload=payload)
    wire = ZONES.answer(query.to_wire(), max_octets=max_octets)
    assert wire is not None
    return dns.message.from_wire(wire.octets)


def test_a_record_that_exists_is_answered_with_authority() -> None:
    response = ask("example.test", "MX")

    assert response.rcode() == dns.rcode.NOERROR
    assert response.flags & dns.flags.AA
    assert not response.flags & dns.flags.RA
    assert [str(record) for record in response.answer[0]] == ["10 mx.example.test."]


def test_the_name_is_answered_as_the_asker_spelled_it() -> None:
    response = ask("ExAmPlE.tEsT", "MX")

    assert response.answer[0].name.to_text() == "ExAmPlE.tEsT."


def test_a_cname_in_the_zone_is_followed() -> None:
    response = ask("alias.example.test", "A")

    assert [rrset.rdtype for rrset in response.answer] == [dns.rdatatype.CNAME, dns.rdatatype.A]


def test_a_cname_out_of_the_zone_is_answered_alone() -> None:
    response = ask("out.example.test", "A")

    assert response.rcode() == dns.rcode.NOERROR
    assert [rrset.rdtype for rrset in response.answer] == [dns.rdatatype.CNAME]


def test_a_cname_loop_ends() -> None:
    assert len(ask("loop.example.test", "A").answer) <= 8


@pytest.mark.parametrize(
    ("name", "rcode"),
    [
        pytest.param("absent.example.test", dns.rcode.NXDOMAIN, id="absent name"),
        pytest.param("mx.example.test", dns.rcode.NOERROR, id="name without that type"),
        pytest.param("_domainkey.example.test", dns.rcode.NOERROR, id="empty non-terminal"),
    ],
)
def test_what_is_not_there_is_denied_with_the_soa(name: str, rcode: dns.rcode.Rcode) -> None:
    response = ask(name, "AAAA")

    assert response.rcode() == rcode
    assert response.answer == []
    assert response.authority[0].rdtype == dns.rdatatype.SOA


def test_a_name_outside_our_zones_is_refused() -> None:
    response = ask("example.org", "A")

    assert response.rcode() == dns.rcode.REFUSED
    assert not response.flags & dns.flags.AA


def test_an_answer_too_large_for_udp_is_truncated_and_empty() -> None:
    response = ask("many.example.test", "TXT", max_octets=MAX_UDP_OCTETS)

    assert response.flags & dns.flags.TC
    assert response.answer == []


def test_the_same_answer_is_whole_over_tcp() -> None:
    response = ask("many.example.test", "TXT")

    assert not response.flags & dns.flags.TC
    assert len(response.answer[0]) == 40


def test_a_small_edns_buffer_is_respected() -> None:
    query = dns.message.make_query("s1._domainkey.example.test", "TXT", use_edns=False)

    wire = ZONES.answer(query.to_wire(), max_octets=MAX_UDP_OCTETS)

    assert wire is not None
    assert len(wire.octets) <= 512


@pytest.mark.parametrize(
    "wire",
    [pytest.param(b"", id="nothing"), pytest.param(b"\x00" * 5, id="short"), pytest.param(b"\xff" * 40, id="response")],
)
def test_what_is_no_query_gets_silence(wire: bytes) -> None:
    assert ZONES.answer(wire, max_octets=512) is None


def test_a_malformed_query_gets_a_format_error() -> None:
    query = dns.message.make_query("example.test", "A").to_wire()

    wire = ZONES.answer(query[:-3], max_octets=512)

    assert wire is not None
    assert wire.octets[:2] == query[:2]
    assert wire.octets[3] & 0x0F == dns.rcode.FORMERR


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
def test_nobody_is_sent_the_whole_zone(kind: str) -> None:
    assert ask("example.test", kind).rcode() == dns.rcode.REFUSED


def test_any_is_answered_with_some_of_what_there_is() -> None:
    response = ask("mx.example.test", "ANY")

    assert [rrset.rdtype for rrset in response.answer] == [dns.rdatatype.A]


def test_another_version_of_edns_is_refused_as_such() -> None:
    query = dns.message.make_query("example.test", "MX", use_edns=1)

    response = ZONES.answer(query.to_wire(), max_octets=512)

    assert response is not None
    assert dns.message.from_wire(response.octets).rcode() == dns.rcode.BADVERS


def test_two_questions_at_once_are_a_format_error() -> None:
    query = dns.message.make_query("example.test", "MX")
    query.question.append(dns.message.make_query("example.test", "NS").question[0])

    response = ZONES.answer(query.to_wire(), max_octets=512)

    assert response is not None
    assert response.octets[3] & 0x0F == dns.rcode.FORMERR


def test_an_update_is_not_carried_out() -> None:
    response = ZONES.answer(dns.update.UpdateMessage("example.test").to_wire(), max_octets=512)

    assert response is not None
    assert response.octets[3] & 0x0F == dns.rcode.NOTIMP


def test_the_same_question_again_gets_the_same_answer_under_its_own_id() -> None:
    first, second = (dns.message.make_query("example.test", "MX", id=number).to_wire() for number in (1, 0xABCD))

    one, other = ZONES.answer(first, max_octets=512), ZONES.answer(second, max_octets=512)

    assert one is not None
    assert other is not None
    assert other.octets == b"\xab\xcd" + one.octets[2:]


def test_answers_are_counted_by_name_and_denials_by_zone() -> None:
    def kind(name: str, record_type: str) -> object:
        response = ZONES.answer(dns.message.make_query(name, record_type).to_wire(), max_octets=512)
        assert response is not None
        return response.kind

    assert kind("example.test", "MX") == kind("Example.test", "NS")
    assert kind("example.test", "MX") != kind("mx.example.test", "A")
    assert kind("a.example.test", "A") == kind("b.example.test", "A")
