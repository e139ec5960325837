"""The real control plane on a temporary SQLite file, with a clock and an entropy that tests can steer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.primitives.secret import Secret
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.storage.migrate import migrate
from gatepost.system.keyring import create_keyring
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account


class SettableClock:
    """Stands still until moved."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def advance(self, **duration: float) -> datetime:
        self.instant += timedelta(**duration)
        return self.instant


class CountingEntropy:
    """Never the same twice, always the same in each run."""

    def __init__(self) -> None:
        self.count = 0

    def draw(self, size: int) -> bytes:
        self.count += 1
        return (sha256(self.count.to_bytes(8, "big")).digest() * (size // 32 + 1))[:size]


@dataclass
class Place:
    """Where a control plane is, so that a test can open it a second time, as another process would."""

    url: str
    keyring_file: Path
    clock: SettableClock
    entropy: CountingEntropy

    def open(self) -> ControlPlane:
        return open_control_plane(self.url, self.keyring_file, self.clock, self.entropy)


@dataclass
class Issued:
    """A key in the store, and what its user holds."""

    key: ApiKey
    password: Secret[bytes]


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def place(tmp_path: Path, clock: SettableClock) -> Place:
    place = Place(f"sqlite:///{tmp_path}/control.db", tmp_path / "keyring", clock, CountingEntropy())
    migrate(place.url)
    create_keyring(place.keyring_file, place.entropy)
    return place


@pytest.fixture
def control_plane(place: Place) -> Iterator[ControlPlane]:
    with place.open() as opened:
        yield opened


@pytest.fixture
def other_process(place: Place) -> Iterator[ControlPlane]:
    """The same control plane, opened again: nothing is shared but the file."""
    with place.open() as opened:
        yield opened


@pytest.fixture
def account(control_plane: ControlPlane) -> Account:
    return lifecycle.create(
        control_plane.accounts, "acme", now=control_plane.clock.now(), entropy=control_plane.entropy
    )


@pytest.fixture
def issue(control_plane: ControlPlane, account: Account) -> Callable[..., Issued]:
    """Make a key and store it; keyword arguments are those of Grant."""

    def issue(*, account_id: AccountId = account.id, name: str = "billing", **grant: object) -> Issued:
        wanted = Grant(**({"scopes": frozenset({"mail.send"})} | grant))
        key, secret = api_key.issue(
            account_id=account_id,
            name=name,
            grant=wanted,
            now=control_plane.clock.now(),
            entropy=control_plane.entropy,
        )
        password = secret.reveal().encode()
        credential = api_key.parse(password)
        assert credential is not None
        control_plane.keys.add(key, control_plane.keyring.hash_secret(credential[1].reveal()))
        return Issued(key, Secret(password))

    return issue
