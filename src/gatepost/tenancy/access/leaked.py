"""Leaked keys: whoever holds a key's text may have it revoked, and learns nothing from a text that is none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest

from gatepost.primitives.ids import AccountId, KeyId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.authenticate import NO_HASH
from gatepost.tenancy.access.ports import ApiKeyStore

_NO_KEY = (KeyId("-" * 22), Secret(b"-" * 54))


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedKey:
    """A key that was leaked, whose it is, and whether it was valid until now."""

    account_id: AccountId
    key_id: KeyId
    was_valid: bool


def revoke_leaked(
    store: ApiKeyStore, texts: Sequence[bytes], *, hash_secret: Callable[[bytes], bytes], now: datetime
) -> list[RevokedKey | None]:
    """Revoke each key of which the whole text is given; None, in its place, for a text that is none of ours.

    The id alone revokes nothing: it is no secret. A text that is no key is looked up as if it were one.
    """
    return [_revoke(store, text, hash_secret, now) for text in texts]


def _revoke(store: ApiKeyStore, text: bytes, hash_secret: Callable[[bytes], bytes], now: datetime) -> RevokedKey | None:
    key_id, secret = api_key.parse(text) or _NO_KEY
    stored = store.secret_hash(key_id, otherwise=NO_HASH)
    is_right = compare_digest(stored, hash_secret(secret.reveal()))
    key = store.resolve(key_id)
    if key is None or not is_right:
        return None
    was_valid = key.is_valid(now)
    store.revoke(key.account_id, key.id, now)
    return RevokedKey(account_id=key.account_id, key_id=key.id, was_valid=was_valid)
