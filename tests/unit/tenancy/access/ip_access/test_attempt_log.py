from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.ip_access.access_list import Verdict
from gatepost.tenancy.access.ip_access.attempt import Attempt, AuthMethod
from gatepost.tenancy.access.ip_access.attempt_log import MAX_ATTEMPTS, AttemptLog

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACME, OTHER = AccountId("acc_a"), AccountId("acc_b")


class Written:
    """The port: keeps what it is given, and can fail."""

    def __init__(self) -> None:
        self.batches: list[list[Attempt]] = []
        self.forget_before: datetime | None = None
        self.is_down = False

    def record(self, attempts: Sequence[Attempt], *, keep: int, forget_before: datetime) -> None:
        if self.is_down:
            raise Transient("busy")
        self.batches.append(list(attempts))
        self.forget_before = forget_before

    def list_recent(self, account_id: AccountId, limit: int) -> Sequence[Attempt]:
        raise NotImplementedError


@pytest.fixture
def store() -> Written:
    return Written()


@pytest.fixture
def log(store: Written) -> AttemptLog:
    return AttemptLog(store)


def come(
    log: AttemptLog, peer: str = "192.0.2.1", *, account: AccountId = ACME, after: int = 0, **more: object
) -> None:
    method = more.get("method", AuthMethod.SMTP)
    verdict = more.get("verdict", Verdict.ALLOWED)
    assert isinstance(method, AuthMethod)
    assert isinstance(verdict, Verdict)
    log.note(account, ip_address(peer), method, verdict, NOW + timedelta(seconds=after))


def test_attempts_of_one_kind_are_counted_together_and_written_once(log: AttemptLog, store: Written) -> None:
    come(log)
    come(log, "::ffff:192.0.2.1", after=5)
    come(log, after=9)

    assert log.flush(NOW) == 1
    assert log.flush(NOW) == 0
    [[attempt]] = store.batches
    assert (attempt.address, attempt.count) == ("192.0.2.1", 3)
    assert attempt.last_at - attempt.first_at == timedelta(seconds=9)
    assert store.forget_before == NOW - timedelta(days=30)


def test_account_address_way_and_verdict_tell_attempts_apart(log: AttemptLog, store: Written) -> None:
    come(log)
    come(log, account=OTHER)
    come(log, "192.0.2.2")
    come(log, method=AuthMethod.API)
    come(log, verdict=Verdict.REFUSED)

    assert log.flush(NOW) == 5
    assert {attempt.count for attempt in store.batches[0]} == {1}


def test_what_could_not_be_written_is_written_later(log: AttemptLog, store: Written) -> None:
    come(log)
    store.is_down = True
    with pytest.raises(Transient):
        log.flush(NOW)
    store.is_down = False
    come(log, after=7)
    come(log, "192.0.2.2")

    log.flush(NOW)

    [written] = store.batches
    assert {attempt.address: attempt.count for attempt in written} == {"192.0.2.1": 2, "192.0.2.2": 1}
    assert written[0].first_at == NOW
    assert written[0].last_at == NOW + timedelta(seconds=7)


def test_one_account_is_bounded_and_costs_no_other_its_record(log: AttemptLog, store: Written) -> None:
    come(log, account=OTHER)
    for number in range(MAX_ATTEMPTS + 5):
        come(log, f"10.0.{number >> 8}.{number & 255}")
        come(log, "192.0.2.1")
    store.is_down = True
    with pytest.raises(Transient):
        log.flush(NOW)
    store.is_down = False
    come(log, "192.0.2.9")

    log.flush(NOW)

    addresses = [attempt.address for attempt in store.batches[0] if attempt.account_id == ACME]
    assert len(addresses) == MAX_ATTEMPTS
    assert addresses[-2:] == ["192.0.2.1", "192.0.2.9"]
    assert "10.0.0.0" not in addresses
    assert [attempt.account_id for attempt in store.batches[0]].count(OTHER) == 1
