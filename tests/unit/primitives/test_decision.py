from dataclasses import FrozenInstanceError
from enum import Enum

import pytest

from gatepost.primitives.decision import ALLOW, Allow, Deny


class Reason(Enum):
    LATE = "late"


def test_allow_is_true():
    assert ALLOW
    assert Allow() == ALLOW


def test_deny_is_false_and_says_why():
    denial = Deny(Reason.LATE, detail="by an hour")

    assert not denial
    assert (denial.reason, denial.detail) == (Reason.LATE, "by an hour")


def test_a_decision_cannot_be_changed_afterwards():
    with pytest.raises(FrozenInstanceError):
        Deny(Reason.LATE).detail = "never mind"
