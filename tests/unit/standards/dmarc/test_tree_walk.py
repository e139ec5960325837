from contextlib import suppress

import pytest

from gatepost.standards.dmarc.record import Policy
from gatepost.standards.dmarc.tree_walk import MAX_QUERIES, find_applied_policy, walk_tree
from gatepost.standards.dns.question import Answer, AnswerStatus
from gatepost.standards.dns.records import MX, TXT


def zone(**records):
    """Records by name, dots written as underscores doubled: ``example__com="v=DMARC1; p=none"``."""
    return {(f"_dmarc.{name.replace('__', '.')}", "TXT"): (TXT(text.encode()),) for name, text in records.items()}


REJECT = "v=DMARC1; p=reject"


@pytest.mark.parametrize(
    ("start", "published", "organizational", "deciding"),
    [
        pytest.param("mail.example.com", {}, "mail.example.com", None, id="nothing published: the name stands alone"),
        ("example.com", {"example__com": REJECT}, "example.com", "example.com"),
        ("mail.example.com", {"example__com": REJECT}, "example.com", "example.com"),
        pytest.param(
            "a.mail.example.com",
            {"mail__example__com": REJECT, "example__com": REJECT},
            "example.com",
            "example.com",
            id="the fewest labels are the organisation, and a name between does not decide",
        ),
        pytest.param(
            "mail.example.com",
            {"mail__example__com": REJECT, "example__com": REJECT},
            "example.com",
            "mail.example.com",
            id="its own record decides",
        ),
        pytest.param(
            "a.b.example.com",
            {"b__example__com": REJECT + "; psd=n", "example__com": REJECT},
            "b.example.com",
            "b.example.com",
            id="psd=n ends the walk",
        ),
        pytest.param(
            "giant.bank.example",
            {"bank__example": REJECT + "; psd=y"},
            "giant.bank.example",
            "bank.example",
            id="below a public suffix that speaks for those who are silent",
        ),
        pytest.param(
            "mail.giant.bank.example",
            {"bank__example": REJECT + "; psd=y"},
            "giant.bank.example",
            "bank.example",
            id="one label below the public suffix",
        ),
        pytest.param(
            "bank.example",
            {"bank__example": REJECT + "; psd=y"},
            "bank.example",
            "bank.example",
            id="the public suffix itself sends",
        ),
    ],
)
def test_the_walk_finds_the_organisation_and_the_policy(ask, start, published, organizational, deciding):
    walk = ask(walk_tree(start), zone(**published))

    assert walk.organizational_domain == organizational
    assert (walk.deciding[0] if walk.deciding else None) == deciding


def test_a_long_name_costs_eight_questions():
    walk = walk_tree("a.b.c.d.e.f.g.h.i.j.mail.example.com")
    asked = [next(walk).name]
    with suppress(StopIteration):
        while True:
            asked.append(walk.send(Answer(status=AnswerStatus.NO_NAME)).name)

    assert len(asked) == MAX_QUERIES
    assert asked[:2] == ["_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com", "_dmarc.g.h.i.j.mail.example.com"]
    assert asked[-1] == "_dmarc.com"


def test_of_several_records_none_counts(ask):
    published = {("_dmarc.example.com", "TXT"): (TXT(b"v=DMARC1; p=none"), TXT(b"v=DMARC1; p=reject"))}

    walk = ask(walk_tree("example.com"), published)

    assert walk.deciding is None
    assert walk.problems == {"example.com": "there are 2 DMARC records, so that none of them counts"}


def test_other_texts_at_the_name_do_not_matter(ask):
    published = {("_dmarc.example.com", "TXT"): (TXT(b"hello"), TXT(REJECT.encode()))}

    assert ask(walk_tree("example.com"), published).deciding[0] == "example.com"


def test_no_answer_on_the_way_is_a_failure(ask):
    published = zone(mail__example__com=REJECT) | {("_dmarc.com", "TXT"): AnswerStatus.FAILED}

    walk = ask(walk_tree("mail.example.com"), published)

    assert walk.failure == "the DNS did not answer for TXT of _dmarc.com: timed out"
    assert walk.deciding is None


@pytest.mark.parametrize(
    ("start", "record", "exists", "policy"),
    [
        ("example.com", "p=reject; sp=none", True, Policy.REJECT),
        ("mail.example.com", "p=reject; sp=none", True, Policy.NONE),
        ("mail.example.com", "p=none; np=reject", True, Policy.NONE),
        ("gone.example.com", "p=none; np=reject", False, Policy.REJECT),
        ("example.com", "p=reject; t=y", True, Policy.QUARANTINE),
        ("mail.example.com", "p=reject; sp=quarantine; t=y", True, Policy.NONE),
    ],
)
def test_which_policy_holds(ask, start, record, exists, policy):
    published = zone(example__com=f"v=DMARC1; {record}") | (
        {(start, "MX"): (MX(10, "mx.example.com"),)} if exists else {}
    )

    walk = ask(walk_tree(start), published)

    assert ask(find_applied_policy(walk), published) is policy


def test_without_a_record_no_policy_holds(ask):
    assert ask(find_applied_policy(ask(walk_tree("example.com"), {})), {}) is None


def test_a_name_about_which_the_dns_is_silent_counts_as_existing(ask):
    published = zone(example__com="v=DMARC1; p=none; np=reject") | {("mail.example.com", "A"): AnswerStatus.FAILED}

    walk = ask(walk_tree("mail.example.com"), published)

    assert ask(find_applied_policy(walk), published) is Policy.NONE
