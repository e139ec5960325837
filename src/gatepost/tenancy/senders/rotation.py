"""The life of a domain's DKIM keys: when the next one is drawn, shown, used, retired and destroyed. Pure.

A key signs only after every resolver has been seen to give it out, and stays published for as long as something that
it signed may still be verified: the queue's longest wait and the life of a signature (``x=``) after its last use.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, KeyState


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPolicy:
    """How long keys live.

    Attributes:
        rotate_after: A key of a claim with automatic security that has signed for so long gets a successor; None for
            never by itself. With manual security the customer has to publish it, so somebody has to ask for it.
        retire_for: For how long a retired key stays published: queue life and signature life together.
        settle_for: A new key is looked for only after what stood there before can have been forgotten (its TTL).
    """

    rotate_after: timedelta | None
    retire_for: timedelta
    settle_for: timedelta = timedelta(seconds=60)


class Step(Enum):
    """What to do with a claim's keys next."""

    #: Draw a key and publish it on an idle selector.
    PUBLISH = "publish"
    #: Ask every resolver for the key; switch to it if all have it.
    CHECK = "check"
    #: Empty the record of a retired key, and destroy the key.
    EMPTY = "empty"


def next_step(claim: AuthenticatedDomain, policy: RotationPolicy, *, now: datetime) -> tuple[Step, DKIMKey] | None:
    """Return the next step and the key that it is about; None if there is nothing to do now.

    For PUBLISH the key is the one to be succeeded. Keys of one algorithm succeed each other; a claim with keys of two
    takes their steps one after the other.

    Args:
        claim: As it stands.
        policy: How long keys live.
        now: The present instant.
    """
    for key in claim.dkim_keys:
        if key.state is KeyState.NEXT:
            return (Step.CHECK, key) if now - key.since >= policy.settle_for else None
    for key in claim.dkim_keys:
        is_suspect = claim.rotation_is_urgent and _is_asked_for(claim, key)
        if key.state is KeyState.RETIRED and (is_suspect or now - key.since >= policy.retire_for):
            return Step.EMPTY, key
    for key in claim.signing_keys:
        is_due = policy.rotate_after is not None and claim.is_automatic and now - key.since >= policy.rotate_after
        if (is_due or _is_asked_for(claim, key)) and idle_selector(claim, key) is not None:
            return Step.PUBLISH, key
    return None


def ask_for_rotation(claim: AuthenticatedDomain, now: datetime, *, is_urgent: bool) -> AuthenticatedDomain:
    """Return the claim with other keys asked for.

    Args:
        claim: As it stands.
        now: The present instant.
        is_urgent: A key may be known to others: from the switch on nothing that it signed is to be believed.
    """
    return replace(claim, rotation_requested_at=now, rotation_is_urgent=is_urgent)


def is_rotating(claim: AuthenticatedDomain) -> bool:
    """Say whether a rotation that was asked for, or has begun, has not come to its switch yet."""
    return any(
        key.state is KeyState.NEXT or (key.state is KeyState.ACTIVE and _is_asked_for(claim, key))
        for key in claim.dkim_keys
    )


def idle_selector(claim: AuthenticatedDomain, key: DKIMKey) -> str | None:
    """Return the selector under which a successor of the key can be published; None while none is free.

    With automatic security that is the other one of the two that the customer's CNAMEs lead from, once its last key
    was emptied. With manual security it is a new name: what customers have published is theirs to remove.
    """
    if not claim.is_automatic:
        return _next_name(key.selector, [other.selector for other in claim.dkim_keys])
    others = [other for other in claim.dkim_keys if other.selector != key.selector]
    return next((other.selector for other in others if other.state is KeyState.EMPTIED), None)


def succeed(claim: AuthenticatedDomain, successor: DKIMKey, *, now: datetime) -> tuple[DKIMKey, ...]:
    """Return the claim's keys with a successor published, in place of the emptied one of its selector."""
    published = replace(successor, state=KeyState.NEXT, changed_at=now)
    kept = [key for key in claim.dkim_keys if key.selector != successor.selector]
    return (*kept, published)


def switch(claim: AuthenticatedDomain, successor: DKIMKey, *, now: datetime) -> tuple[DKIMKey, ...]:
    """Return the claim's keys with the successor signing, and those of its algorithm that signed so far retired."""

    def moved(key: DKIMKey) -> DKIMKey:
        if key.selector == successor.selector:
            return replace(key, state=KeyState.ACTIVE, changed_at=now)
        if key.state is KeyState.ACTIVE and key.algorithm is successor.algorithm:
            return replace(key, state=KeyState.RETIRED, changed_at=now)
        return key

    return _in_signing_order([moved(key) for key in claim.dkim_keys])


def empty(claim: AuthenticatedDomain, retired: DKIMKey, *, now: datetime) -> tuple[DKIMKey, ...]:
    """Return the claim's keys with a retired one withdrawn and destroyed."""
    gone = replace(retired, state=KeyState.EMPTIED, changed_at=now, sealed_private_key=b"", public_key="")
    return tuple([gone if key.selector == retired.selector else key for key in claim.dkim_keys])


def _is_asked_for(claim: AuthenticatedDomain, key: DKIMKey) -> bool:
    """Say whether somebody has asked for another key since this one was drawn."""
    return claim.rotation_requested_at is not None and key.created_at <= claim.rotation_requested_at


def _in_signing_order(keys: Sequence[DKIMKey]) -> tuple[DKIMKey, ...]:
    """RSA first: a verifier that knows one algorithm only, and looks at one signature only, knows that one."""
    return tuple(sorted(keys, key=lambda key: not key.algorithm.value.startswith("rsa")))


def _next_name(selector: str, taken: Sequence[str]) -> str:
    stem = selector.rstrip("0123456789")
    number = int(selector[len(stem) :] or "1")
    while f"{stem}{number}" in taken or number < 2:
        number += 1
    return f"{stem}{number}"
