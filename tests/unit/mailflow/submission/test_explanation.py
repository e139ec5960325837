import pytest

from gatepost.mailflow.submission.explanation import (
    _ACCESS_CHECKS,
    Check,
    Offer,
    explain_access,
    explain_names,
    is_allowed,
)
from gatepost.primitives.decision import ALLOW, Deny
from gatepost.standards.address import parse_mailbox
from gatepost.tenancy.access.principal import AccessDenial

CHECKS = (Check.KEY, Check.PEER, Check.SCOPE, Check.ACCOUNT, Check.CREDITS)


@pytest.mark.parametrize("reason", AccessDenial)
def test_a_refusal_is_never_read_as_a_yes(reason):
    steps = explain_access(Deny(reason), CHECKS)

    assert not is_allowed(steps)
    assert sum(isinstance(step.decision, Deny) for step in steps) == 1


def test_what_comes_after_the_first_refusal_is_not_reached():
    steps = explain_access(Deny(AccessDenial.SCOPE_MISSING), CHECKS)

    assert [step.decision for step in steps] == [ALLOW, ALLOW, Deny(AccessDenial.SCOPE_MISSING), None, None]


class Advisor:
    def advise(self, principal, mailbox, denial):
        return f"mend {mailbox}"


ADVISOR = Advisor()


def mailbox(text):
    return None if text is None else parse_mailbox(text.encode(), allow_utf8=True)


@pytest.mark.parametrize(
    ("author", "reverse_path", "to", "expected"),
    [
        ("a@example.com", "a@example.com", None, [("envelope sender", True), ("From", True), ("signature", None)]),
        ("a@example.com", None, None, [("envelope sender", True), ("From", True), ("signature", None)]),
        ("a@victim.example", "a@example.com", None, [("envelope sender", True), ("From", False)]),
        ("a@example.com", "a@victim.example", "b@c.test",
         [("recipient", True), ("envelope sender", False), ("From", True), ("signature", None)]),
        ("a@example.com", None, "b@relay.test",
         [("recipient", False), ("envelope sender", True), ("From", True), ("signature", None)]),
    ],
)  # fmt: skip
def test_every_name_is_judged_even_after_a_refusal(principal, domains, author, reverse_path, to, expected):
    offer = Offer(author=mailbox(author), reverse_path=mailbox(reverse_path), forward_path=mailbox(to))

    steps = explain_names(
        principal, offer, domains, own_host_names={"relay.test"}, signing_domain=None, advisor=ADVISOR
    )

    answers = [None if step.decision is None else bool(step.decision) for step in steps]
    assert list(zip([step.check.value for step in steps], answers, strict=True)) == expected
    assert is_allowed(steps) is all(answer is not False for _, answer in expected)


def test_who_signs_is_said(principal, domains):
    offer = Offer(author=mailbox("a@news.example.com"), reverse_path=None)

    *_, step = explain_names(principal, offer, domains, own_host_names=(), signing_domain=None, advisor=ADVISOR)

    assert (step.check, step.detail) == (Check.SIGNATURE, "DKIM with d=example.com")


@pytest.mark.parametrize("reason", AccessDenial)
def test_every_refusal_of_a_key_or_an_account_says_what_to_do(reason):
    (refused,) = [step for step in explain_access(Deny(reason), CHECKS) if isinstance(step.decision, Deny)]

    assert refused.mend or reason not in {each for reasons in _ACCESS_CHECKS.values() for each in reasons}


def test_what_to_do_is_asked_for_what_is_refused_alone(principal, domains):
    offer = Offer(
        author=mailbox("a@victim.example"), reverse_path=mailbox("a@example.com"), forward_path=mailbox("b@relay.test")
    )

    steps = explain_names(
        principal, offer, domains, own_host_names={"relay.test"}, signing_domain=None, advisor=ADVISOR
    )

    recipient, reverse_path, author = [step.mend for step in steps]
    assert recipient.startswith("write a recipient")
    assert (reverse_path, author) == ("", "mend a@victim.example")
