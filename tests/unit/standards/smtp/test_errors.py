from gatepost.primitives.errors import RelayError
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.status_codes import GOODBYE, LINE_TOO_LONG


def test_a_violation_carries_the_reply_and_does_not_close_unless_told() -> None:
    violation = ProtocolViolation(LINE_TOO_LONG)

    assert isinstance(violation, RelayError)
    assert (violation.reply, violation.closes) == (LINE_TOO_LONG, False)
    assert str(violation) == "500 5.5.2 Line too long"


def test_a_violation_may_close() -> None:
    assert ProtocolViolation(GOODBYE, closes=True).closes
