"""A PostgreSQL that is frozen or gone: everybody is told so within seconds, and answered again once it is back."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.postgresql import PostgresqlServer

from gatepost.primitives.errors import Transient
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.signing_keys import CurrentKeys
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.dkim_key import SigningKeys, generate_dkim_keys
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

PROMPT_SECONDS = 5.0
AGAIN_SECONDS = 10.0


@pytest.fixture
def frozen(postgresql_only: None, postgresql: PostgresqlServer) -> Iterator[Any]:
    """Freezes the server, every process of it, until the test ends or thaws it."""
    postgresql.freeze()
    yield postgresql
    postgresql.thaw()


@pytest.fixture
def frozen_later(postgresql_only: None, postgresql: PostgresqlServer) -> Iterator[Callable[[], Any]]:
    """Freezes it when called."""
    yield postgresql.freeze
    postgresql.thaw()


@pytest.fixture
def warm(control_plane: ControlPlane, account: Account) -> ControlPlane:
    """One with connections open, as in the midst of work."""
    control_plane.version.version()
    assert control_plane.accounts.find(account.id) is not None
    return control_plane


def time_of(call: Any, *arguments: Any) -> float:
    """Return how long a call takes to say that there is no answer."""
    began = time.monotonic()
    with pytest.raises(Transient):
        call(*arguments)
    return time.monotonic() - began


def until_it_answers(call: Any) -> float:
    began = time.monotonic()
    while True:
        try:
            call()
        except Transient:
            assert time.monotonic() < began + AGAIN_SECONDS
            time.sleep(0.05)
        else:
            return time.monotonic() - began


ASKS = {
    "version": lambda plane, _account: plane.version.version(),
    "look-up": lambda plane, account: plane.accounts.find(account.id),
}


@pytest.mark.parametrize("ask", ["version", "look-up"])
async def test_in_an_event_loop_a_frozen_server_holds_nobody_for_long_and_the_next_not_at_all(
    postgresql_only: None, warm: ControlPlane, account: Account, frozen: Any, ask: str
) -> None:
    first = time_of(ASKS[ask], warm, account)
    others = [time_of(ASKS[name], warm, account) for name in ("version", "look-up") * 20]

    assert first < PROMPT_SECONDS
    assert sum(others) < 0.5


async def test_after_a_frozen_server_is_thawed_it_is_asked_again(
    warm: ControlPlane, account: Account, frozen: Any
) -> None:
    before = time_of(warm.version.version)
    frozen.thaw()

    waited = await asyncio.to_thread(until_it_answers, warm.version.version)

    assert before < PROMPT_SECONDS
    assert waited < AGAIN_SECONDS
    assert warm.accounts.find(account.id) is not None


async def test_server_that_is_gone_holds_nobody_and_is_found_again(
    postgresql_only: None, warm: ControlPlane, account: Account, postgresql: PostgresqlServer
) -> None:
    numbers = [warm.version.version()]
    postgresql.stop(signal.SIGQUIT)
    try:
        gone = [time_of(ASKS[name], warm, account) for name in ("version", "look-up") * 20]
    finally:
        postgresql.start()
    waited = await asyncio.to_thread(until_it_answers, warm.version.version)
    numbers.append(warm.version.version())

    assert sum(gone) < PROMPT_SECONDS
    assert waited < AGAIN_SECONDS
    # What was remembered before it was gone is looked up anew.
    assert numbers[0] < numbers[1]


async def test_mail_goes_on_being_signed_with_the_keys_last_read(
    warm: ControlPlane, account: Account, frozen_later: Callable[[], Any]
) -> None:
    now = warm.clock.now()
    keys = generate_dkim_keys(account.id, "example.com", keyring=warm.keyring, entropy=SystemEntropy(), created_at=now)
    number = warm.domains.add(
        AuthenticatedDomain(
            name="example.com",
            account_id=account.id,
            state=DomainState.PENDING,
            dkim_keys=keys,
            created_at=now,
            verified_at=None,
        )
    )
    warm.domains.mark_verified(account.id, number, now)
    current = CurrentKeys(VerifiedDomains(warm.domains, PublicSuffixes()), SigningKeys(warm.keyring))
    before = current.find_signing_keys(account.id, "example.com")

    frozen_later()
    during = current.find_signing_keys(account.id, "example.com")

    assert [key.selector for key in before] == [key.selector for key in keys]
    assert during == before
    with pytest.raises(Transient):
        current.find_signing_keys(account.id, "never.read.example.com")
