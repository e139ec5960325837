"""The control plane, opened: its stores and what they rest on, for a mail worker or for one command."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from gatepost.primitives.clock import Clock
from gatepost.primitives.entropy import Entropy
from gatepost.storage.access import SqlApiKeyStore
from gatepost.storage.access_version import SqliteAccessVersion
from gatepost.storage.accounts import SqlAccountStore
from gatepost.storage.database import Database
from gatepost.storage.senders import SqlDomainStore
from gatepost.system.keyring import Keyring, load_keyring
from gatepost.tenancy.access.ports import ApiKeyStore
from gatepost.tenancy.access.principals import Principals
from gatepost.tenancy.access.throttle import AuthenticationThrottle
from gatepost.tenancy.accounts.ports import AccountStore
from gatepost.tenancy.senders.ports import DomainStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Everything that knows who may send. One for a process; open it after forking, and close it."""

    clock: Clock
    entropy: Entropy
    keyring: Keyring
    accounts: AccountStore
    keys: ApiKeyStore
    domains: DomainStore
    principals: Principals
    database: Database
    version: SqliteAccessVersion

    def close(self) -> None:
        """Let go of the database."""
        self.version.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_control_plane(database_url: str, keyring_file: Path, clock: Clock, entropy: Entropy) -> ControlPlane:
    """Open the control plane.

    Raises:
        Misconfigured: The database or the keyring is missing, unreadable or not ours; the text says what to do.
    """
    keyring = load_keyring(keyring_file, entropy)
    database = Database(database_url)
    version = SqliteAccessVersion(database.path)
    keys, accounts = SqlApiKeyStore(database), SqlAccountStore(database)
    return ControlPlane(
        clock=clock,
        entropy=entropy,
        keyring=keyring,
        accounts=accounts,
        keys=keys,
        domains=SqlDomainStore(database, version),
        principals=Principals(
            keys=keys,
            accounts=accounts,
            version=version,
            keyring_hash=keyring.hash_secret,
            clock=clock,
            throttle=AuthenticationThrottle(),
        ),
        database=database,
        version=version,
    )
