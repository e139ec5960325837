"""Rotating a key: another with the same grant takes its place, and the old one goes on for a while."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.issue import MAX_KEYS, issue_key
from gatepost.tenancy.access.ports import ApiKeyStore

DEFAULT_OVERLAP: Final = timedelta(days=1)
MAX_OVERLAP: Final = timedelta(days=30)

MAX_KEYS_WHILE_ROTATING: Final = MAX_KEYS + 10
"""An account that has all the keys it may have can rotate them too, ten at a time."""


class RotationDenial(Enum):
    """Why a key was not rotated."""

    TOO_MANY = "too many keys"
    NOT_VALID = "key not valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """The old key as it is now, the new one, and the text of that, to be shown once."""

    old: ApiKey
    new: ApiKey
    shown: Secret[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What is wanted.

    Attributes:
        overlap: How long the old key goes on, if it does not end before; zero ends it now.
        decide: Says what the new key is granted, from the old one's grant, or why it may not be had.
    """

    account_id: AccountId
    key_id: KeyId
    overlap: timedelta
    decide: Callable[[Grant], Grant | Deny]


def rotate_key(
    store: ApiKeyStore,
    rotation: Rotation,
    *,
    hash_secret: Callable[[bytes], bytes],
    entropy: Entropy,
    now: datetime,
) -> Rotated | Deny | None:
    """Make the new key and set the old one's end, in one transaction; None if the account has no such key.

    The new key charges the same purses: during the overlap both together spend no more than one of them might.
    """
    account_id, made = rotation.account_id, []

    def decide(current: Grant) -> Grant | Deny:
        # Within the store's transaction, so what is read and added here belongs to it.
        old = store.find(account_id, rotation.key_id)
        if old is None or not old.is_valid(now):
            return Deny(RotationDenial.NOT_VALID)
        grant = rotation.decide(current)
        if isinstance(grant, Deny):
            return grant
        issued = issue_key(
            store,
            account_id=account_id,
            name=old.name,
            grant=grant,
            hash_secret=hash_secret,
            entropy=entropy,
            now=now,
            at_most=MAX_KEYS_WHILE_ROTATING,
            is_honey=old.is_honey,
        )
        if issued is None:
            return Deny(RotationDenial.TOO_MANY)
        made.append(issued)
        ends_at = now + rotation.overlap
        return replace(current, expires_at=min(ends_at, current.expires_at or ends_at))

    old = store.change_grant(account_id, rotation.key_id, decide)
    if old is None or isinstance(old, Deny):
        return old
    ((new, shown),) = made
    return Rotated(old=old, new=new, shown=shown)
