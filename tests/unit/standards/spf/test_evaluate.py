import time
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.address import Mailbox
from gatepost.standards.dns.question import Answer, AnswerStatus
from gatepost.standards.dns.records import MX, TXT, Address, Name
from gatepost.standards.spf.evaluate import MAX_LOOKUPS, evaluate
from gatepost.standards.spf.result import SPFValue

AT = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
JOE = Mailbox(local_part="joe", domain="example.com")
FAILED, NO_DATA = AnswerStatus.FAILED, AnswerStatus.NO_DATA
V = SPFValue


def txt(*texts: str):
    return tuple([TXT(text.encode("utf-8")) for text in texts])


def evaluation(address="192.0.2.1", sender=JOE):
    return evaluate(ip_address(address), sender, helo="mail.example.com", at=AT, receiver="mx.example.net")


def zone_of(record: str, **names):
    return {("example.com", "TXT"): txt(record), **{tuple(key.split(" ")): held for key, held in names.items()}}


@pytest.mark.parametrize(
    ("record", "value"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", V.PASS),
        ("v=spf1 ip4:198.51.100.1 -all", V.FAIL),
        ("v=spf1 ip6:2001:db8::/32 ~all", V.SOFTFAIL),
        ("v=spf1 ?all", V.NEUTRAL),
        ("v=spf1", V.NEUTRAL),
        ("v=spf1 a -all", V.PASS),
        ("v=spf1 a:other.example -all", V.FAIL),
        ("v=spf1 a:other.example/24 -all", V.PASS),
        ("v=spf1 mx -all", V.PASS),
        ("v=spf1 ptr -all", V.PASS),
        ("v=spf1 ptr:elsewhere.example -all", V.FAIL),
        ("v=spf1 exists:%{ir}.list.%{d} -all", V.PASS),
        ("v=spf1 exists:%{l}.list.%{d} -all", V.FAIL),
        ("v=spf1 exists:%{p}.list.%{d} -all", V.PASS),
        ("v=spf1 include:pass.example -all", V.PASS),
        ("v=spf1 include:fail.example ?all", V.NEUTRAL),
        ("v=spf1 include:none.example ?all", V.PERMERROR),
        ("v=spf1 include:late.example ?all", V.TEMPERROR),
        ("v=spf1 redirect=pass.example", V.PASS),
        ("v=spf1 redirect=fail.example", V.FAIL),
        ("v=spf1 redirect=none.example", V.PERMERROR),
        ("v=spf1 a:late.example -all", V.TEMPERROR),
        ("v=spf1 a:bad..name -all", V.FAIL),
        ("v=spf1 bad", V.PERMERROR),
    ],
)
def test_records(record, value, ask):
    zone = {
        ("example.com", "TXT"): txt("something else", record),
        ("example.com", "A"): (Address("192.0.2.1"),),
        ("example.com", "MX"): (MX(5, "other.example"), MX(10, "a.example.com"), MX(20, "")),
        ("a.example.com", "A"): (Address("203.0.113.1"), Address("192.0.2.1")),
        ("other.example", "A"): (Address("192.0.2.99"),),
        ("1.2.0.192.in-addr.arpa", "PTR"): (Name("A.example.com"), Name("bad..name"), Name("liar.example")),
        ("1.2.0.192.list.example.com", "A"): (Address("127.0.0.2"),),
        ("a.example.com.list.example.com", "A"): (Address("127.0.0.2"),),
        ("pass.example", "TXT"): txt("v=spf1 ip4:192.0.2.1"),
        ("fail.example", "TXT"): txt("v=spf1 -all"),
        ("late.example", "TXT"): FAILED,
        ("late.example", "A"): FAILED,
    }

    assert ask(evaluation(), zone).value is value


@pytest.mark.parametrize(
    ("zone", "value", "problem"),
    [
        pytest.param({}, V.NONE, "publishes no SPF record", id="no such name"),
        pytest.param({("example.com", "TXT"): NO_DATA}, V.NONE, "publishes no SPF record", id="no data"),
        pytest.param({("example.com", "TXT"): FAILED}, V.TEMPERROR, "timed out", id="time-out"),
        pytest.param(
            {("example.com", "TXT"): txt("v=spf1", "v=spf1 -all")}, V.PERMERROR, "publishes 2 SPF records", id="two"
        ),
        pytest.param({("example.com", "TXT"): txt("v=spf1 a:b")}, V.PERMERROR, "'a:b'", id="malformed"),
    ],
)
def test_problems_are_told_in_words(zone, value, problem, ask):
    result = ask(evaluation(), zone)

    assert result.value is value
    assert problem in result.problem


@pytest.mark.parametrize("domain", ["localhost", "", "a..example", "x" * 64 + ".example", "ö.example", "[192.0.2.1]"])
def test_what_is_no_domain_is_none_and_asks_nothing(domain):
    with pytest.raises(StopIteration) as stopped:
        next(evaluation(sender=Mailbox(local_part="joe", domain=domain)))

    assert stopped.value.value.value is V.NONE


def test_the_null_reverse_path_is_judged_by_helo(ask):
    result = ask(evaluation(sender=None), {("mail.example.com", "TXT"): txt("v=spf1 exists:%{l}.%{o} -all")})

    assert result.value is V.FAIL
    assert next(evaluation(sender=None)).name == "mail.example.com"


def test_a_mapped_address_counts_as_ipv4(ask):
    assert ask(evaluation("::ffff:192.0.2.1"), zone_of("v=spf1 ip4:192.0.2.1 -all")).value is V.PASS


def test_ipv6_is_compared_with_aaaa(ask):
    zone = zone_of("v=spf1 a//64 -all") | {("example.com", "AAAA"): (Address("2001:db8::ffff"),)}

    assert ask(evaluation("2001:db8::1"), zone).value is V.PASS
    assert ask(evaluation("2001:db9::1"), zone).value is V.FAIL


def test_exists_asks_for_ipv4_addresses_whatever_the_client_has(ask):
    zone = zone_of("v=spf1 exists:here.example -all") | {("here.example", "A"): (Address("127.0.0.2"),)}

    assert ask(evaluation("2001:db8::1"), zone).value is V.PASS


def test_ten_lookups_are_allowed_and_counted_and_eleven_are_not(ask):
    includes = " ".join(["include:n.example"] * MAX_LOOKUPS)
    zone = {("n.example", "TXT"): txt("v=spf1 ?all")}

    allowed = ask(evaluation(), zone | zone_of(f"v=spf1 {includes} -all"))
    refused = ask(evaluation(), zone | zone_of(f"v=spf1 {includes} redirect=n.example"))

    assert (allowed.value, allowed.lookups) == (V.FAIL, MAX_LOOKUPS)
    assert (refused.value, refused.lookups) == (V.PERMERROR, MAX_LOOKUPS + 1)
    assert "more than 10 DNS lookups" in refused.problem


def test_a_loop_of_includes_ends(ask):
    assert ask(evaluation(), zone_of("v=spf1 include:example.com -all")).value is V.PERMERROR


def test_two_void_lookups_are_allowed_and_three_are_not(ask):
    allowed = ask(evaluation(), zone_of("v=spf1 a:x.example mx:x.example -all"))
    refused = ask(evaluation(), zone_of("v=spf1 a:x.example mx:x.example exists:x.example -all"))

    assert allowed.value is V.FAIL
    assert refused.value is V.PERMERROR
    assert "more than 2 domains" in refused.problem


def test_more_than_ten_mail_exchangers_are_too_many(ask):
    many = {("example.com", "MX"): tuple([MX(1, f"mx{n}.example.com") for n in range(11)])}

    assert ask(evaluation(), zone_of("v=spf1 mx -all") | many).value is V.PERMERROR


def test_only_ten_reverse_names_are_followed(ask):
    names = tuple([Name(f"n{n}.example.org") for n in range(10)])
    zone = {
        ("1.2.0.192.in-addr.arpa", "PTR"): (*names, Name("example.com")),
        ("example.com", "A"): (Address("192.0.2.1"),),
    }

    assert ask(evaluation(), zone_of("v=spf1 ptr -all") | zone).value is V.FAIL


@pytest.mark.parametrize(
    ("held", "explanation"),
    [
        pytest.param(
            txt("%{c} may not send as %{s} (%{h}, %{r}, %{t})"),
            "192.0.2.1 may not send as joe@example.com (mail.example.com, mx.example.net, 1795428000)",
            id="expanded",
        ),
        pytest.param(txt("not from %{p}"), "not from unknown", id="an address without name"),
        pytest.param(txt("a", "b"), "", id="two records"),
        pytest.param(txt("%{x}"), "", id="malformed"),
        pytest.param(txt("ö"), "", id="not ASCII"),
        pytest.param(FAILED, "", id="time-out"),
    ],
)
def test_explanations(held, explanation, ask):
    zone = zone_of("v=spf1 -all exp=why.%{d}") | {("why.example.com", "TXT"): held}

    result = ask(evaluation(), zone)

    assert (result.value, result.explanation) == (V.FAIL, explanation)


def test_the_explanation_of_an_included_record_is_neither_used_nor_asked_for(ask):
    zone = zone_of("v=spf1 include:i.example include:n.example -all") | {
        ("i.example", "TXT"): txt("v=spf1 -all exp=why.example.com"),
        ("n.example", "TXT"): txt("v=spf1 redirect=i.example"),
    }

    def watched():
        running = evaluation()
        question = next(running)
        while True:
            assert question.name != "why.example.com"
            try:
                question = running.send((yield question))
            except StopIteration as stop:
                return stop.value

    result = ask(watched(), zone)

    assert (result.value, result.explanation) == (V.FAIL, "")


def test_the_macro_p_prefers_the_domain_itself(ask):
    zone = zone_of("v=spf1 -all exp=why.%{d}") | {
        ("why.example.com", "TXT"): txt("%{p}"),
        ("1.2.0.192.in-addr.arpa", "PTR"): (Name("x.example"), Name("a.example.com"), Name("example.com")),
        ("x.example", "A"): (Address("192.0.2.1"),),
        ("a.example.com", "A"): (Address("192.0.2.1"),),
        ("example.com", "A"): (Address("192.0.2.1"),),
    }

    assert ask(evaluation(), zone).explanation == "example.com"
    del zone["example.com", "A"]
    assert ask(evaluation(), zone).explanation == "a.example.com"
    del zone["a.example.com", "A"]
    assert ask(evaluation(), zone).explanation == "x.example"


@pytest.mark.parametrize("local_part", ["a\\.b", "ö", "a\x00b", "x" * 64])
def test_a_local_part_that_makes_no_name_of_the_dns_is_not_asked_for(local_part):
    record = Answer(status=AnswerStatus.FOUND, records=txt("v=spf1 exists:%{l}.example.com -all"))
    running = evaluation(sender=Mailbox(local_part=local_part, domain="example.com"))
    next(running)

    with pytest.raises(StopIteration) as stopped:
        running.send(record)

    assert stopped.value.value.value is V.FAIL


def test_a_name_too_long_loses_labels_on_the_left():
    running = evaluation()
    next(running)

    question = running.send(
        Answer(status=AnswerStatus.FOUND, records=txt("v=spf1 a:" + "%{d}." * 30 + "example12.net -all"))
    )

    assert question.name == "example.com." * 20 + "example12.net"
    assert len(question.name) == 253


def test_a_costly_record_is_evaluated_quickly(ask):
    started = time.process_time()

    result = ask(evaluation(), zone_of("v=spf1 a:" + "%{s}" * 15_000 + ".example.net -all"))

    assert result.value is V.FAIL
    assert time.process_time() - started < 0.5


TERMS = st.sampled_from(
    ["a", "mx", "ptr", "a:%{p}.x", "exists:%{ir}.%{l1r+}.x", "include:b.example", "?all", "-all", "exp=e.example"]
) | st.sampled_from(["redirect=b.example", "ip6:::/0", "mx:%{d1r}.x//0", "~ptr:x.example", "x=%{s}", "a:%{h}"])
RECORDS = st.lists(TERMS, max_size=8).map(lambda terms: " ".join(["v=spf1", *terms]))
HELD = st.sampled_from(
    [FAILED, NO_DATA, (Address("192.0.2.1"),), (MX(1, "b.example"),), (Name("b.example"),), txt("%{p}%{c}"), ()]
)


@given(data=st.data(), local_part=st.text(max_size=5), helo=st.text(max_size=10))
def test_any_record_and_any_answers_end_in_a_result(data, local_part, helo):
    def answer(question):
        held = data.draw(HELD if question.type.value != "TXT" else HELD | RECORDS.map(txt))
        if isinstance(held, AnswerStatus):
            return Answer(status=held)
        return Answer(status=AnswerStatus.FOUND, records=held)

    def answer_all(running):
        result = yield from running
        results.append(result)

    results = []
    running = answer_all(
        evaluate(ip_address("192.0.2.1"), Mailbox(local_part=local_part, domain="example.com"), helo=helo, at=AT)
    )
    question = next(running, None)
    while not results:
        with suppress(StopIteration):
            question = running.send(answer(question))

    assert isinstance(results[0].value, SPFValue)
