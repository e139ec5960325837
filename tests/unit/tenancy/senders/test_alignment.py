"""The author rule, as tables."""

from datetime import UTC, datetime

import pytest

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId
from gatepost.standards.address import AddressError, Mailbox, parse_mailbox
from gatepost.tenancy.senders.alignment import (
    AlignmentDenial,
    AlignmentRule,
    AllowedBy,
    VerifiedDomains,
    decide_author,
    decide_reverse_path,
)
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

OURS, THEIRS = AccountId("acc_ours"), AccountId("acc_theirs")
SUBUSER = AccountId("acc_subuser")
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

    author = decide_author(OURS, mailbox(address), allowed_authors=(), domains=domains)
    reverse_path = decide_reverse_path(OURS, mailbox(address), domains=domains)

    assert author == reverse_path
    assert bool(author) is is_allowed


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

    assert bool(decision) is is_allowed
    assert is_allowed or decision == Deny(AlignmentDenial.AUTHOR_NOT_ALLOWED, address)


def test_key_restriction_never_widens():
    decision = decide_author(
        OURS, mailbox("a@example.com"), allowed_authors=("a@example.com",), domains=verified(example_com=THEIRS)
    )

    assert decision == Deny(AlignmentDenial.DOMAIN_OF_ANOTHER, "a@example.com")


def test_null_reverse_path_is_allowed():
    assert decide_reverse_path(OURS, None, domains=verified()) == AllowedBy(AlignmentRule.NULL_REVERSE_PATH)


def test_common_case_asks_once():
    claims = Claims({"example.com": OURS})

    decide_author(OURS, mailbox("a@example.com"), allowed_authors=(), domains=VerifiedDomains(claims, SUFFIXES))

    assert claims.asked == ["example.com"]


def test_walk_ends_at_the_organizational_domain():
    claims = Claims({})

    VerifiedDomains(claims, SUFFIXES).find_deciding("a.b.example.co.uk")

    assert claims.asked == ["a.b.example.co.uk", "b.example.co.uk", "example.co.uk"]


DOMAINS = {
    "example.com": (OURS, frozenset({SUBUSER})),
    "lent.example.com": (THEIRS, frozenset()),
    "kept.example": (OURS, frozenset()),
    "sub.theirs.example": (OURS, frozenset()),
    "theirs.example": (THEIRS, frozenset()),
    "xn--bcher-kva.example": (OURS, frozenset()),
    "co.uk": (OURS, frozenset()),
}
PROVED = {
    (OURS, "ann@gmail.test"),
    (OURS, '"first..last"@gmail.test'),
    (OURS, "müller@gmail.test"),
    (OURS, "ann@theirs.example"),
    (OURS, "ann@lent.example.com"),
    (OURS, "ann@xn--bcher-kva.test"),
    (SUBUSER, "sub@gmail.test"),
    (SUBUSER, "sub@kept.example"),
    (THEIRS, "bob@gmail.test"),
    (OURS, "ann@[192.0.2.1]"),
}


class Spoofed:
    """One world for the table: who has verified what, and which addresses are proved."""

    default = None

    def find_default(self, account_id):
        return self.find_verified(self.default)

    def find_verified(self, name):
        if name not in DOMAINS:
            return None
        holder, assigned = DOMAINS[name]
        return AuthenticatedDomain(
            name=name, account_id=holder, state=DomainState.VERIFIED, dkim_keys=(), created_at=BORN,
            assigned_to=assigned,
        )  # fmt: skip

    def is_verified(self, account_id, address):
        return (account_id, address) in PROVED


OWN, ABOVE, ASSIGNED, SINGLE = (
    AlignmentRule.VERIFIED_DOMAIN,
    AlignmentRule.PARENT_DOMAIN,
    AlignmentRule.ASSIGNED_DOMAIN,
    AlignmentRule.SINGLE_SENDER,
)
NOBODYS, ANOTHERS, LITERAL, RESTRICTED = (
    AlignmentDenial.DOMAIN_NOT_VERIFIED,
    AlignmentDenial.DOMAIN_OF_ANOTHER,
    AlignmentDenial.ADDRESS_LITERAL,
    AlignmentDenial.AUTHOR_NOT_ALLOWED,
)
#: Who, the address, the key's restriction, and the rule that answers.
SPOOFS = {
    "own domain": (OURS, "a@example.com", (), OWN),
    "own domain in capitals": (OURS, "a@EXAMPLE.COM", (), OWN),
    "own domain, local part in capitals": (OURS, "A@example.com", (), OWN),
    "own domain, quoted local part": (OURS, '"a..b"@example.com', (), OWN),
    "own sub-domain": (OURS, "a@news.example.com", (), ABOVE),
    "own sub-domain in capitals": (OURS, "a@News.Example.com", (), ABOVE),
    "deep below our own": (OURS, "a@x.y.z.example.com", (), ABOVE),
    "lent sub-domain": (OURS, "a@lent.example.com", (), ANOTHERS),
    "below a lent sub-domain": (OURS, "a@x.lent.example.com", (), ANOTHERS),
    "beside a lent sub-domain": (OURS, "a@lentx.example.com", (), ABOVE),
    "another tenant's domain": (OURS, "a@theirs.example", (), ANOTHERS),
    "another tenant's domain in capitals": (OURS, "a@THEIRS.example", (), ANOTHERS),
    "below another tenant's domain": (OURS, "a@x.theirs.example", (), ANOTHERS),
    "ours below another tenant's": (OURS, "a@sub.theirs.example", (), OWN),
    "below ours below another tenant's": (OURS, "a@x.sub.theirs.example", (), ABOVE),
    "the parent of ours": (THEIRS, "a@sub.theirs.example", (), ANOTHERS),
    "another tenant in the one it was lent": (THEIRS, "a@lent.example.com", (), OWN),
    "another tenant in the parent of that": (THEIRS, "a@example.com", (), ANOTHERS),
    "a longer name that ends so": (OURS, "a@badexample.com", (), NOBODYS),
    "a name that begins so": (OURS, "a@example.com.evil.test", (), NOBODYS),
    "another top level": (OURS, "a@example.org", (), NOBODYS),
    "the top level": (OURS, "a@com", (), NOBODYS),
    "below a public suffix": (OURS, "a@bank.co.uk", (), NOBODYS),
    "a slip of the finger": (OURS, "a@exampel.com", (), NOBODYS),
    "a digit for a letter": (OURS, "a@examp1e.com", (), NOBODYS),
    "a Cyrillic letter": (OURS, "a@ex\u0430mple.com", (), NOBODYS),
    "a Greek letter": (OURS, "a@th\u03b5irs.example", (), NOBODYS),
    "an accent": (OURS, "a@exámple.com", (), NOBODYS),
    "our name as U-labels": (OURS, "a@bücher.example", (), OWN),
    "our name as A-labels": (OURS, "a@xn--bcher-kva.example", (), OWN),
    "our name as A-labels in capitals": (OURS, "a@XN--BCHER-KVA.example", (), OWN),
    "our name without its accent": (OURS, "a@bucher.example", (), NOBODYS),
    "below our name as U-labels": (OURS, "a@x.bücher.example", (), ABOVE),
    "another account in our U-labels": (THEIRS, "a@bücher.example", (), ANOTHERS),
    "IPv4 literal": (OURS, "a@[192.0.2.1]", (), LITERAL),
    "IPv4 literal that was proved": (OURS, "ann@[192.0.2.1]", (), LITERAL),
    "IPv6 literal": (OURS, "a@[IPv6:2001:db8::1]", (), LITERAL),
    "subuser in the assigned domain": (SUBUSER, "a@example.com", (), ASSIGNED),
    "subuser below the assigned domain": (SUBUSER, "a@news.example.com", (), ASSIGNED),
    "subuser in a domain of the parent that is not assigned": (SUBUSER, "a@kept.example", (), ANOTHERS),
    "subuser in what was lent below the assigned one": (SUBUSER, "a@lent.example.com", (), ANOTHERS),
    "subuser as its parent's single sender": (SUBUSER, "ann@gmail.test", (), NOBODYS),
    "parent as its subuser's single sender": (OURS, "sub@gmail.test", (), NOBODYS),
    "subuser, single sender in its parent's domain": (SUBUSER, "sub@kept.example", (), ANOTHERS),
    "single sender": (OURS, "ann@gmail.test", (), SINGLE),
    "single sender, domain in capitals": (OURS, "ann@GMAIL.test", (), SINGLE),
    "single sender, local part in capitals": (OURS, "Ann@gmail.test", (), NOBODYS),
    "single sender with a tag": (OURS, "ann+news@gmail.test", (), NOBODYS),
    "single sender with a dot": (OURS, "a.nn@gmail.test", (), NOBODYS),
    "single sender that needs its quotes": (OURS, '"first..last"@gmail.test', (), SINGLE),
    "single sender beyond ASCII": (OURS, "müller@gmail.test", (), SINGLE),
    "single sender's neighbour": (OURS, "bob@gmail.test", (), NOBODYS),
    "single sender's sub-domain": (OURS, "ann@x.gmail.test", (), NOBODYS),
    "single sender's domain alone": (OURS, "postmaster@gmail.test", (), NOBODYS),
    "single sender in another tenant's domain": (OURS, "ann@theirs.example", (), ANOTHERS),
    "single sender in a lent sub-domain": (OURS, "ann@lent.example.com", (), ANOTHERS),
    "single sender as U-labels": (OURS, "ann@bücher.test", (), SINGLE),
    "another tenant's single sender": (THEIRS, "ann@gmail.test", (), NOBODYS),
    "restricted to the single sender": (OURS, "ann@gmail.test", ("ann@gmail.test",), SINGLE),
    "restricted to another address": (OURS, "ann@gmail.test", ("bob@gmail.test",), RESTRICTED),
    "restricted to a domain, used above": (OURS, "a@example.com", ("news.example.com",), RESTRICTED),
    "restricted to a domain, used below": (OURS, "a@news.example.com", ("example.com",), RESTRICTED),
    "restricted to what is another's": (OURS, "a@theirs.example", ("theirs.example",), ANOTHERS),
    "restricted to what is nobody's": (OURS, "a@nobody.example", ("nobody.example",), NOBODYS),
    "restricted, of a subuser": (SUBUSER, "a@example.com", ("b@example.com",), RESTRICTED),
}  # fmt: skip


#: Addresses that two readers could take differently never come to the rule.
UNREADABLE = {
    "quotes that say nothing": '"ann"@gmail.test',
    "an at sign in quotes": '"ann@theirs.example"@example.com',
    "a decomposed letter": "mu\u0308ller@gmail.test",
    "a route in the local part": "ann%theirs.example@example.com",
    "a bang path": "theirs.example!ann@example.com",
    "a full-width at sign": "ann\uff20theirs.example@example.com",
    "an invisible character": "ann\u200b@gmail.test",
    "a full-width dot": "ann@example\uff0ecom",
    "an escaped letter in quotes": '"a\\nn"@gmail.test',
    "an encoded word": "=?utf-8?q?ann?=@gmail.test",
    "two addresses": "ann@gmail.test,bob@theirs.example",
    "a literal that is none": "a@[theirs.example]",
}


@pytest.mark.parametrize("address", UNREADABLE.values(), ids=UNREADABLE)
def test_what_could_be_read_in_two_ways_never_comes_to_the_rule(address):
    with pytest.raises(AddressError):
        mailbox(address)


@pytest.fixture(scope="module")
def spoofed():
    world = Spoofed()
    return VerifiedDomains(world, SUFFIXES, world)


@pytest.mark.parametrize(("account", "address", "allowed", "rule"), SPOOFS.values(), ids=SPOOFS)
def test_the_rule_that_answers_is_named(spoofed, account, address, allowed, rule):
    decision = decide_author(account, mailbox(address), allowed_authors=allowed, domains=spoofed)

    assert (decision.rule if decision else decision.reason) is rule


@pytest.mark.parametrize(("account", "address", "allowed", "rule"), SPOOFS.values(), ids=SPOOFS)
def test_a_reverse_path_is_judged_alike_but_for_the_keys_restriction(spoofed, account, address, allowed, rule):
    decision = decide_reverse_path(account, mailbox(address), domains=spoofed)
    without = decide_author(account, mailbox(address), allowed_authors=(), domains=spoofed)

    assert decision == without
    assert rule is RESTRICTED or (decision.rule if decision else decision.reason) is rule


def test_who_decides_is_named():
    domains = VerifiedDomains(Spoofed(), SUFFIXES)

    decision = decide_author(OURS, mailbox("a@x.news.example.com"), allowed_authors=(), domains=domains)

    assert decision == AllowedBy(ABOVE, "example.com")


#: Whose mail, the author's domain, the account's default one, the operator's own, and which signs.
SIGNERS = {
    "below a verified domain, that one": (OURS, "news.example.com", None, None, "example.com"),
    "of several above, the nearest": (THEIRS, "x.lent.example.com", "theirs.example", "relay.example",
                                      "lent.example.com"),
    "a domain of one's own rather than the default": (OURS, "example.com", "kept.example", "relay.example",
                                                      "example.com"),
    "a subuser's assigned domain": (SUBUSER, "example.com", None, "relay.example", "example.com"),
    "a subuser's assigned domain rather than its default": (SUBUSER, "example.com", "kept.example", None,
                                                            "example.com"),
    "a single sender, the default": (OURS, "gmail.test", "kept.example", "theirs.example", "kept.example"),
    "a subuser's single sender, its default": (SUBUSER, "gmail.test", "kept.example", None, "kept.example"),
    "a single sender without a default, the operator's own": (OURS, "gmail.test", None, "theirs.example",
                                                              "theirs.example"),
    "a single sender, an own domain that is not verified": (OURS, "gmail.test", None, "nobody.example", None),
    "a single sender, and nothing else": (OURS, "gmail.test", None, None, None),
    "another account's domain, nobody": (OURS, "theirs.example", "kept.example", "example.com", None),
    "a parent's domain that is not assigned, nobody": (SUBUSER, "kept.example", "example.com", "example.com", None),
}  # fmt: skip


@pytest.fixture
def spoofed_by_default():
    def make(default):
        world = Spoofed()
        world.default = default
        return VerifiedDomains(world, SUFFIXES, world)

    return make


@pytest.mark.parametrize(("account", "name", "default", "own", "signer"), SIGNERS.values(), ids=SIGNERS)
def test_who_signs(spoofed_by_default, account, name, default, own, signer):
    found = spoofed_by_default(default).find_signer(account, name, own)

    assert (found and found.name) == signer
