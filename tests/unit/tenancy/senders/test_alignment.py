"""The author rule, as tables."""

from datetime import UTC, datetime

import pytest

from gatepost.primitives.decision import ALLOW, Deny
from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox, parse_mailbox
from gatepost.tenancy.senders.alignment import AlignmentDenial, VerifiedDomains, decide_author, decide_reverse_path
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

OURS, THEIRS = AccountId("acc_ours"), AccountId("acc_theirs")
SUFFIXES = PublicSuffixes()
BORN = datetime(2026, 1, 1, tzinfo=UTC)


class Claims:
    """Verified names and their holders; what a DomainStore knows of them."""

    def __init__(self, holders):
        self.holders = holders
        self.asked = []

    def find_verified(self, name):
        self.asked.append(name)
        if name not in self.holders:
            return None
        return AuthenticatedDomain(
            name=name, account_id=self.holders[name], state=DomainState.VERIFIED, dkim_keys=(), created_at=BORN
        )


def verified(**holders):
    return VerifiedDomains(Claims({name.replace("_", "."): holder for name, holder in holders.items()}), SUFFIXES)


def mailbox(text: str) -> Mailbox:
    return parse_mailbox(text.encode(), allow_utf8=True)


OWNERSHIP = {
    "own domain": ("a@example.com", {"example_com": OURS}, True),
    "sub-domain of it": ("a@news.example.com", {"example_com": OURS}, True),
    "deep sub-domain": ("a@a.b.c.example.com", {"example_com": OURS}, True),
    "sub-domain verified, used": ("a@news.example.com", {"news_example_com": OURS}, True),
    "sub-domain verified, parent used": ("a@example.com", {"news_example_com": OURS}, False),
    "sub-domain verified, sibling used": ("a@shop.example.com", {"news_example_com": OURS}, False),
    "nothing verified": ("a@example.com", {}, False),
    "another tenant's domain": ("a@example.com", {"example_com": THEIRS}, False),
    "sub-domain of another tenant's": ("a@news.example.com", {"example_com": THEIRS}, False),
    "sub-domain lent to another tenant": (
        "a@news.example.com",
        {"example_com": OURS, "news_example_com": THEIRS},
        False,
    ),
    "below a sub-domain lent to another": (
        "a@x.news.example.com",
        {"example_com": OURS, "news_example_com": THEIRS},
        False,
    ),
    "sub-domain of our own below theirs": (
        "a@news.example.com",
        {"example_com": THEIRS, "news_example_com": OURS},
        True,
    ),
    "below our sub-domain below theirs": (
        "a@x.news.example.com",
        {"example_com": THEIRS, "news_example_com": OURS},
        True,
    ),
    "a name that ends alike": ("a@badexample.com", {"example_com": OURS}, False),
    "a name that begins alike": ("a@example.com.evil.test", {"example_com": OURS}, False),
    "public suffix verified, nothing inherited": ("a@example.co.uk", {"co_uk": OURS}, False),
    "public suffix verified, deep": ("a@b.example.co.uk", {"co_uk": OURS}, False),
    "top level verified, nothing inherited": ("a@example.com", {"com": OURS}, False),
    "private public suffix, nothing inherited": ("a@someone.github.io", {"github_io": OURS}, False),
    "public suffix used itself": ("a@github.io", {"github_io": OURS}, True),
    "as deep as the walk goes": ("a@" + "x." * 10 + "example.com", {"example_com": OURS}, True),
    "deeper than the walk goes": ("a@" + "x." * 11 + "example.com", {"example_com": OURS}, False),
    "deeper than the walk goes, itself verified": (
        "a@" + "x." * 11 + "example.com",
        {"x_" * 11 + "example_com": OURS},
        True,
    ),
    "public suffix used, top level verified": ("a@co.uk", {"uk": OURS}, False),
    "below a private public suffix": ("a@mail.someone.github.io", {"someone_github_io": OURS}, True),
    "internationalized": ("a@bücher.example", {"xn--bcher-kva_example": OURS}, True),
    "special-use top level": ("a@mail.example.test", {"example_test": OURS}, True),
    "single label": ("a@localhost", {}, False),
    "address literal": ("a@[192.0.2.1]", {"1]": OURS, "2_1]": OURS, "[192_0_2_1]": OURS}, False),
}


@pytest.mark.parametrize(("address", "holders", "is_allowed"), OWNERSHIP.values(), ids=OWNERSHIP)
def test_first_verified_name_at_or_above_the_domain_decides(address, holders, is_allowed):
    domains = verified(**holders)
    denied = Deny(AlignmentDenial.DOMAIN_NOT_VERIFIED, str(mailbox(address)))

    author = decide_author(OURS, mailbox(address), allowed_authors=(), domains=domains)
    reverse_path = decide_reverse_path(OURS, mailbox(address), domains=domains)

    assert author == reverse_path == (ALLOW if is_allowed else denied)


RESTRICTION = {
    "none": ("a@example.com", (), True),
    "that address": ("a@example.com", ("a@example.com",), True),
    "one of several": ("a@example.com", ("b@example.com", "a@example.com"), True),
    "another local part": ("a@example.com", ("b@example.com",), False),
    "another case of the local part": ("A@example.com", ("a@example.com",), False),
    "another case of the domain": ("a@example.com", ("a@EXAMPLE.com",), True),
    "that domain": ("a@example.com", ("example.com",), True),
    "that domain, another case": ("a@example.com", ("Example.COM",), True),
    "its parent is not that domain": ("a@news.example.com", ("example.com",), False),
    "its child is not that domain": ("a@example.com", ("news.example.com",), False),
    "address in a sub-domain": ("a@news.example.com", ("a@example.com",), False),
    "a domain that ends alike": ("a@example.com", ("ample.com",), False),
    "an empty entry": ("a@example.com", ("",), False),
}


@pytest.mark.parametrize(("address", "allowed", "is_allowed"), RESTRICTION.values(), ids=RESTRICTION)
def test_key_restriction_is_checked_on_top(address, allowed, is_allowed):
    decision = decide_author(OURS, mailbox(address), allowed_authors=allowed, domains=verified(example_com=OURS))

    assert decision == (ALLOW if is_allowed else Deny(AlignmentDenial.AUTHOR_NOT_ALLOWED, address))


def test_key_restriction_never_widens():
    decision = decide_author(
        OURS, mailbox("a@example.com"), allowed_authors=("a@example.com",), domains=verified(example_com=THEIRS)
    )

    assert decision == Deny(AlignmentDenial.DOMAIN_NOT_VERIFIED, "a@example.com")


def test_null_reverse_path_is_allowed():
    assert decide_reverse_path(OURS, None, domains=verified()) == ALLOW


def test_common_case_asks_once():
    claims = Claims({"example.com": OURS})

    decide_author(OURS, mailbox("a@example.com"), allowed_authors=(), domains=VerifiedDomains(claims, SUFFIXES))

    assert claims.asked == ["example.com"]


def test_walk_ends_at_the_organizational_domain():
    claims = Claims({})

    VerifiedDomains(claims, SUFFIXES).find_deciding("a.b.example.co.uk")

    assert claims.asked == ["a.b.example.co.uk", "b.example.co.uk", "example.co.uk"]
