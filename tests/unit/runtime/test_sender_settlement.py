from dataclasses import dataclass
from datetime import timedelta

import pytest

from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN, Predicate
from gatepost.runtime.sender_settlement import SenderSettlement
from gatepost.tenancy.senders.sender_names import SenderNames

NAMES = SenderNames(name="example.com")
GONE = ("hold", Predicate(account_id="acc_1", sender=NAMES), "why")
BACK = ("release", Predicate(account_id="acc_1", sender=NAMES, held_for=HELD_UNTIL_RETURN), "")


@dataclass
class Report:
    trouble: str
    index: int = 0
    count: int = 1


class Rights:
    """Says of each look in turn whether the right is there; the last answer stands."""

    def __init__(self, *looks):
        self.looks = list(looks)

    def find_lost(self, account_id, name):
        self.present = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return None if self.present else NAMES

    def find_regained(self, account_id, name):
        return NAMES if self.present else None

    def find_lost_address(self, account_id, address):
        return None if self.looks[0] else NAMES


class Workers:
    def __init__(self, trouble=""):
        self.asked, self.trouble = [], trouble

    def refresh(self, *, timeout):
        return self.note("refresh", None, "")

    def refresh_and_hold(self, predicate, *, reason, timeout):
        return self.note("hold", predicate, reason)

    def release(self, predicate, *, timeout):
        return self.note("release", predicate, "")

    def note(self, *what):
        self.asked.append(what)
        return [Report(self.trouble)]


REFRESH = ("refresh", None, "")
#: What each look finds, and what is asked of the workers.
CASES = {
    "gone": ((False,), [GONE]),
    "back": ((True,), [REFRESH, BACK]),
    "gone, and back while it was held": ((False, True), [GONE, REFRESH, BACK]),
    "back, and gone while it was released": ((True, False), [REFRESH, BACK, GONE]),
}


@pytest.mark.parametrize(("looks", "asked"), CASES.values(), ids=CASES)
def test_the_queue_is_made_to_agree_with_what_is_so_at_the_end(looks, asked):
    workers = Workers()

    reports = SenderSettlement(Rights(*looks), workers, timeout=timedelta(1)).settle_domain(
        ["acc_1"], "example.com", reason="why"
    )

    assert workers.asked == asked
    assert len(reports) == len(asked)


def test_each_account_concerned_is_settled():
    workers = Workers()

    SenderSettlement(Rights(False), workers, timeout=timedelta(1)).settle_domain(
        ["acc_1", "acc_2"], "example.com", reason="why"
    )

    assert [predicate.account_id for _, predicate, _ in workers.asked] == ["acc_1", "acc_2"]


def test_what_could_not_be_asked_is_reported_and_not_asked_again():
    workers = Workers("does not answer")

    reports = SenderSettlement(Rights(False, True), workers, timeout=timedelta(1)).settle_domain(
        ["acc_1"], "example.com", reason="why"
    )

    assert [report.trouble for report in reports] == ["does not answer"]
    assert workers.asked == [GONE]


@pytest.mark.parametrize(("has_right", "asked"), [(False, [GONE]), (True, [REFRESH])], ids=["gone", "covered"])
def test_an_address_is_held_if_nothing_else_covers_it(has_right, asked):
    workers = Workers()

    SenderSettlement(Rights(has_right), workers, timeout=timedelta(1)).settle_address(
        "acc_1", "ann@example.com", reason="why"
    )

    assert workers.asked == asked
