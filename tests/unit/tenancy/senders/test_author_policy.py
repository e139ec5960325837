import pytest

from gatepost.standards.dmarc.record import Policy
from gatepost.tenancy.senders.author_policy import (
    HARD_FAILURES,
    SOFT_FAILURES,
    AuthorPolicy,
    Failure,
    find_author_policy,
)
from gatepost.tenancy.senders.dns_check import answer_from

CASES = {
    "refuses": ("a.test", {"_dmarc.a.test": ("v=DMARC1; p=reject",)}, (Failure.HARD, Policy.REJECT)),
    "puts aside": ("a.test", {"_dmarc.a.test": ("v=DMARC1; p=quarantine",)}, (Failure.SOFT, Policy.QUARANTINE)),
    "asks for nothing": ("a.test", {"_dmarc.a.test": ("v=DMARC1; p=none",)}, None),
    "says nothing": ("a.test", {}, None),
    "does not answer": ("a.test", {"_dmarc.a.test": None}, None),
    "above refuses": ("x.a.test", {"_dmarc.a.test": ("v=DMARC1; p=none; sp=reject",)}, (Failure.HARD, Policy.REJECT)),
    "provider, listed as hard": ("yahoo.com", {"_dmarc.yahoo.com": None}, (Failure.HARD, None)),
    "provider, listed as soft": ("gmail.com", {}, (Failure.SOFT, None)),
    "provider that grew lenient": (
        "yahoo.com", {"_dmarc.yahoo.com": ("v=DMARC1; p=none",)}, (Failure.SOFT, Policy.NONE),
    ),
    "provider that grew strict": (
        "gmail.com", {"_dmarc.gmail.com": ("v=DMARC1; p=reject",)}, (Failure.HARD, Policy.REJECT),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("domain", "zone", "expected"), CASES.values(), ids=CASES)
async def test_what_the_dns_publishes_wins_over_the_list(make_resolver, domain, zone, expected):
    policy = await answer_from(make_resolver(zone), find_author_policy(domain))

    assert policy == (expected and AuthorPolicy(failure=expected[0], published=expected[1]))


def test_the_lists_are_sorted_and_apart():
    assert [list(each) for each in (HARD_FAILURES, SOFT_FAILURES)] == [sorted(HARD_FAILURES), sorted(SOFT_FAILURES)]
    assert not set(HARD_FAILURES) & set(SOFT_FAILURES)
