"""Making an API key: drawn, and its hash stored."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, overload

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.ports import ApiKeyStore

MAX_KEYS: Final = 100
"""Of an account, neither revoked nor expired."""


@overload
def issue_key(
    store: ApiKeyStore,
    *,
    account_id: AccountId,
    name: str,
    grant: Grant,
    hash_secret: Callable[[bytes], bytes],
    entropy: Entropy,
    now: datetime,
    is_honey: bool = ...,
) -> tuple[ApiKey, Secret[str]]: ...
@overload
def issue_key(
    store: ApiKeyStore,
    *,
    account_id: AccountId,
    name: str,
    grant: Grant,
    hash_secret: Callable[[bytes], bytes],
    entropy: Entropy,
    now: datetime,
    at_most: int,
    is_honey: bool = ...,
) -> tuple[ApiKey, Secret[str]] | None: ...
def issue_key(
    store: ApiKeyStore,
    *,
    account_id: AccountId,
    name: str,
    grant: Grant,
    hash_secret: Callable[[bytes], bytes],
    entropy: Entropy,
    now: datetime,
    at_most: int | None = None,
    is_honey: bool = False,
) -> tuple[ApiKey, Secret[str]] | None:
    """Make a key for an account and store it; return it with the text that its holder is shown, once.

    Returns:
        None, and nothing is stored, if the account has ``at_most`` valid keys already.
    """
    made, shown = api_key.issue(
        account_id=account_id, name=name, grant=grant, now=now, entropy=entropy, is_honey=is_honey
    )
    credential = api_key.parse(shown.reveal().encode())
    assert credential is not None, "a key just issued is well-formed"
    if not store.add(made, hash_secret(credential[1].reveal()), at_most=at_most):
        return None
    return made, shown
