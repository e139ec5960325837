import pytest

from gatepost.standards.dns.question import AnswerStatus
from gatepost.standards.dns.records import TXT
from gatepost.standards.spf.cost import MAX_COUNTED, count_lookups


def txt(*texts: str):
    return tuple([TXT(text.encode()) for text in texts])


@pytest.mark.parametrize(
    ("record", "terms"),
    [
        ("v=spf1 -all", []),
        ("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all", []),
        ("v=spf1 a mx ptr exists:%{i}.example.net -all", ["a", "mx", "ptr", "exists:%{i}.example.net"]),
        ("v=spf1 include:two.example -all", ["include:two.example", "a", "mx"]),
        ("v=spf1 redirect=two.example", ["redirect=two.example", "a", "mx"]),
        pytest.param("v=spf1 -all redirect=two.example", [], id="a redirect behind all means nothing"),
        pytest.param("v=spf1 include:%{d}.example -all", ["include:%{d}.example"], id="macros are counted only"),
        pytest.param("v=spf1 +all a -all", ["a"], id="what stands behind a match counts too"),
    ],
)
def test_every_term_that_asks_is_counted(ask, record, terms):
    zone = {("example.com", "TXT"): txt(record), ("two.example", "TXT"): txt("v=spf1 a mx -all")}

    cost = ask(count_lookups("example.com"), zone)

    assert [term.text for term in cost.terms] == terms
    assert cost.problems == ()


def test_a_term_says_where_it_stands(ask):
    zone = {
        ("example.com", "TXT"): txt("v=spf1 include:two.example -all"),
        ("two.example", "TXT"): txt("v=spf1 a -all"),
    }

    terms = ask(count_lookups("example.com"), zone).terms

    assert [(term.domain, term.depth) for term in terms] == [("example.com", 0), ("two.example", 1)]


@pytest.mark.parametrize(
    ("held", "problem"),
    [
        (AnswerStatus.NO_NAME, "two.example publishes no SPF record"),
        (AnswerStatus.FAILED, "the DNS did not answer for TXT of two.example: timed out"),
        (txt("v=spf1 -all", "v=spf1 ~all"), "two.example publishes 2 SPF records"),
        (txt("v=spf1 rubbish"), "the SPF record of two.example is malformed: 'rubbish' is malformed"),
    ],
)
def test_what_cannot_be_followed_is_told(ask, held, problem):
    zone = {("example.com", "TXT"): txt("v=spf1 include:two.example -all"), ("two.example", "TXT"): held}

    assert ask(count_lookups("example.com"), zone).problems == (problem,)


def test_a_loop_ends(ask):
    zone = {("example.com", "TXT"): txt("v=spf1 include:example.com include:example.com -all")}

    assert len(ask(count_lookups("example.com"), zone).terms) == MAX_COUNTED
