"""Which count a bounce belongs to, and what counts make of a reputation."""

import pytest

from gatepost.mailflow.events.statistics import Counts, add_up, classify_bounce, rate


@pytest.mark.parametrize(
    ("detail", "count"),
    [
        pytest.param({"reply": "550 5.1.1 no such user"}, "bounces", id="no such mailbox"),
        pytest.param({"reply": "552 5.2.2 full"}, "bounces", id="mailbox full"),
        pytest.param({"reply": "550 5.7.1 on a block list"}, "blocks", id="policy"),
        pytest.param({"reply": "554 5.6.0 content"}, "blocks", id="content"),
        pytest.param({"reply": "550 no such user"}, "bounces", id="mailbox, without an enhanced code"),
        pytest.param({"reply": "554 go away"}, "blocks", id="transaction failed, without an enhanced code"),
        pytest.param({"reply": "550 192.0.2.1 is listed"}, "bounces", id="an address is no enhanced code"),
        pytest.param({"reply": "550"}, "bounces", id="a code alone"),
        pytest.param({"reason": "5.1.10 the domain takes no mail"}, "invalid_emails", id="null MX"),
        pytest.param({"reason": "5.6.7 no SMTPUTF8"}, "blocks", id="not convertible"),
        pytest.param(
            {"reason": "time for trying ran out; last: 450 4.2.1", "reply": "450 4.2.1 later"}, "blocks", id="expired"
        ),
        pytest.param({}, "blocks", id="nothing known"),
    ],
)
def test_a_bounce_is_counted_by_what_was_said(detail, count):
    assert classify_bounce(detail) == count


@pytest.mark.parametrize(
    ("counts", "spam_reports", "reputation"),
    [
        pytest.param(Counts(), 0, 100.0, id="nothing sent"),
        pytest.param(Counts(requests=1000, delivered=1000), 0, 100.0, id="all delivered"),
        pytest.param(Counts(delivered=900, bounces=100), 0, 70.0, id="a tenth bounced"),
        pytest.param(Counts(delivered=950, bounces=30, invalid_emails=20), 0, 85.0, id="invalid addresses count"),
        pytest.param(Counts(delivered=500, blocks=500), 0, 100.0, id="blocks do not"),
        pytest.param(Counts(delivered=1, bounces=1), 0, 97.0, id="a small sample"),
        pytest.param(Counts(delivered=1000), 5, 70.0, id="one of two hundred complains"),
        pytest.param(Counts(bounces=1000), 0, 0.0, id="all bounced"),
    ],
)
def test_a_reputation_is_what_bounces_and_complaints_leave(counts, spam_reports, reputation):
    assert rate(counts, spam_reports=spam_reports) == reputation


def test_counts_add_up():
    total = add_up([Counts(requests=1, delivered=2), Counts(requests=3, dropped=4)])

    assert total == Counts(requests=4, delivered=2, dropped=4)
    assert add_up([]) == Counts()
