import pytest

from gatepost.mailflow.submission.explanation import Check, Offer, explain_access, explain_names, is_allowed
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

    steps = explain_names(principal, offer, domains, own_host_names={"relay.test"}, signing_domain=None)

    answers = [None if step.decision is None else bool(step.decision) for step in steps]
    assert list(zip([step.check.value for step in steps], answers, strict=True)) == expected
    assert is_allowed(steps) is all(answer is not False for _, answer in expected)


def test_who_signs_is_said(principal, domains):
    offer = Offer(author=mailbox("a@news.example.com"), reverse_path=None)

    *_, step = explain_names(principal, offer, domains, own_host_names=(), signing_domain=None)

    assert (step.check, step.detail) == (Check.SIGNATURE, "DKIM with d=example.com")
