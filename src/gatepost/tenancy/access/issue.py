"""Making an API key: drawn, and its hash stored."""

from collections.abc import Callable
from datetime import datetime

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.ports import ApiKeyStore


def issue_key(
    store: ApiKeyStore,
    *,
    account_id: AccountId,
    name: str,
    grant: Grant,
    hash_secret: Callable[[bytes], bytes],
    entropy: Entropy,
    now: datetime,
) -> tuple[ApiKey, Secret[str]]:
    """Make a key for an account and store it; return it with the text that its holder is shown, once."""
    made, shown = api_key.issue(account_id=account_id, name=name, grant=grant, now=now, entropy=entropy)
    credential = api_key.parse(shown.reveal().encode())
    assert credential is not None, "a key just issued is well-formed"
    store.add(made, hash_secret(credential[1].reveal()))
    return made, shown
