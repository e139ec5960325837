from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from gatepost.primitives.decision import ALLOW, Decision
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.tenancy.access.meters import MemoryCells, Meters
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.sending_rate import LimitDenial, OverLimit, SendingRate
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.sending_limits import UNLIMITED, SendingLimits

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HERE = ip_address("192.0.2.1")
ACME = Principal(
    account_id=AccountId("acc_a"), account_state=AccountState.ACTIVE, key_id=KeyId("k"), scopes=frozenset()
)
OTHER = replace(ACME, account_id=AccountId("acc_b"))


def rate(default: SendingLimits = UNLIMITED, **more: int) -> SendingRate:
    return SendingRate(Meters(MemoryCells()), default=default, **more)


def send(
    limited: SendingRate, times: int, *, principal: Principal = ACME, recipients: int = 0, peer: str = "192.0.2.1"
) -> list[Decision]:
    return [limited.take(principal, ip_address(peer), NOW, messages=1, recipients=recipients) for _ in range(times)]


def test_without_a_limit_nothing_is_counted() -> None:
    cells = MemoryCells()
    limited = SendingRate(Meters(cells), default=SendingLimits(messages_per_minute=0))

    assert send(limited, 1000, recipients=100) == [ALLOW] * 1000
    assert len(cells) == 0


@pytest.mark.parametrize(
    ("limits", "allowed", "seconds", "words"),
    [
        (SendingLimits(messages_per_minute=6), 6, 10, "6 messages a minute of one account; try again in 10 seconds"),
        (SendingLimits(messages_per_hour=6), 6, 600, "6 messages an hour of one account; try again in 600 seconds"),
        (
            SendingLimits(recipients_per_minute=6),
            3,
            20,
            "6 recipients a minute of one account; try again in 20 seconds",
        ),
        (
            SendingLimits(recipients_per_hour=6),
            3,
            1200,
            "6 recipients an hour of one account; try again in 1200 seconds",
        ),
        (
            SendingLimits(messages_per_minute=2, messages_per_hour=60),
            2,
            30,
            "2 messages a minute of one account; try again in 30 seconds",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_an_account_over_its_limit_is_told_when_to_come_again(
    limits: SendingLimits, allowed: int, seconds: int, words: str
) -> None:
    for limited, principal in ((rate(limits), ACME), (rate(), replace(ACME, limits=limits))):
        answers = send(limited, 5 + allowed, principal=principal, recipients=2)

        refused = OverLimit(LimitDenial.ACCOUNT_LIMIT, words, timedelta(seconds=seconds))
        assert answers == [ALLOW] * allowed + [refused] * 5


def test_what_the_operator_set_for_an_account_goes_before_the_default() -> None:
    limited = rate(SendingLimits(messages_per_minute=1))

    assert send(limited, 3, principal=replace(ACME, limits=SendingLimits(messages_per_minute=0))) == [ALLOW] * 3


def test_each_account_has_its_own() -> None:
    limited = rate(SendingLimits(messages_per_minute=1))
    send(limited, 1)

    assert send(limited, 1) != [ALLOW]
    assert send(limited, 1, principal=OTHER) == [ALLOW]


def test_all_keys_of_an_account_count_together() -> None:
    limited = rate(SendingLimits(messages_per_minute=1))
    send(limited, 1)

    assert send(limited, 1, principal=replace(ACME, key_id=KeyId("another"))) != [ALLOW]


@pytest.mark.parametrize(
    ("other", "together"),
    [
        ("192.0.2.1", True),
        ("::ffff:192.0.2.1", True),
        ("192.0.2.2", False),
        ("2001:db8::1", False),
    ],
)
def test_an_address_has_a_limit_whatever_keys_it_uses(other: str, together: bool) -> None:
    limited = rate(address_messages_per_minute=1)
    send(limited, 1)

    [answer] = send(limited, 1, principal=OTHER, peer=other)

    assert (getattr(answer, "reason", None) is LimitDenial.ADDRESS_LIMIT) is together


def test_recipients_alone_cost_no_message() -> None:
    limited = rate(SendingLimits(messages_per_minute=1), address_messages_per_minute=1)

    assert limited.take(ACME, HERE, NOW, recipients=500) is ALLOW
    assert send(limited, 1) == [ALLOW]


def test_what_is_refused_by_one_limit_is_not_counted_by_another() -> None:
    limited = rate(SendingLimits(messages_per_minute=10, recipients_per_minute=5))
    limited.take(ACME, HERE, NOW, messages=1, recipients=5)

    assert send(limited, 20, recipients=5) != [ALLOW] * 20
    assert send(limited, 10)[:9] == [ALLOW] * 9
