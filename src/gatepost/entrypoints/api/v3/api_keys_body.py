"""The bodies of ``/v3/api_keys``. What the dialect does not know are further fields, which its clients ignore."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.budget import tightest
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.scope import kind_of


class BudgetWanted(Struct, frozen=True, kw_only=True):
    """How much a key may send; a limit that is left out is none. Hours and days are the clock's, in UTC."""

    messages_per_hour: Annotated[int | UnsetType, Meta(description="A copy to a recipient is a message.")] = UNSET
    messages_per_day: int | UnsetType = UNSET
    new_recipients_per_hour: Annotated[
        int | UnsetType, Meta(description="Recipients to whom no key with such a limit has written before.")
    ] = UNSET
    new_recipients_per_day: int | UnsetType = UNSET


class KeyToMake(Struct, frozen=True, kw_only=True):
    """A key that is wanted. In a change, limits that are left out stay as they are."""

    name: Annotated[str | UnsetType, Meta(description="Required; need not be unique.")] = UNSET
    scopes: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="What it may do; left out: all that the caller's key may do.")
    ] = UNSET
    groups: Annotated[
        dict[str, str] | UnsetType,
        Meta(description="Scopes by group, beside `scopes`: `read` or `full` by the group's name."),
    ] = UNSET
    expires_at: Annotated[str | UnsetType, Meta(description="When it ends, as RFC 3339 writes it.")] = UNSET
    allowed_networks: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="From where it may be used: addresses and CIDR blocks.")
    ] = UNSET
    allowed_authors: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="As whom it may send: addresses and domains.")
    ] = UNSET
    allowed_recipient_domains: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="To whom it may send: domains, exactly those.")
    ] = UNSET
    budget: BudgetWanted | UnsetType = UNSET


class KeyName(Struct, frozen=True, kw_only=True):
    """A key's new name."""

    name: Annotated[str | UnsetType, Meta(description="Required.")] = UNSET


class RotationWanted(Struct, frozen=True, kw_only=True):
    """How a key is to be replaced."""

    overlap_seconds: Annotated[
        int | UnsetType, Meta(description="How long the old key goes on: 0 to 2592000; a day if left out.")
    ] = UNSET


class KeyLimits(Struct, frozen=True, kw_only=True):
    """Within which limits a key holds its scopes; an empty list is no limit."""

    kind: Annotated[str, Meta(description="full, restricted or billing.")]
    expires_at: str | None
    allowed_networks: tuple[str, ...]
    allowed_authors: tuple[str, ...]
    allowed_recipient_domains: tuple[str, ...]
    budget: Annotated[dict[str, int], Meta(description="The lowest limits of all that it is charged to.")]


class KeyMade(KeyLimits, frozen=True, kw_only=True):
    """A new key: the only answer that ever holds its text."""

    api_key: str
    api_key_id: str
    name: str
    scopes: tuple[str, ...]


class KeyRotated(KeyMade, frozen=True, kw_only=True):
    """The key that takes another's place; ``replaces`` is that one, which ends at ``replaced_ends_at``."""

    replaces: str
    replaced_ends_at: str | None


class KeyListed(Struct, frozen=True, kw_only=True):
    """A key in a list."""

    api_key_id: str
    name: str


class KeyShown(KeyLimits, frozen=True, kw_only=True):
    """A key with what it may do."""

    api_key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    last_used_at: str | None
    last_used_from: str | None
    last_used_by: Annotated[str | None, Meta(description="What the client said of itself; nobody has proved it.")]


class KeyList(Struct, frozen=True, kw_only=True):
    """The account's keys, oldest first."""

    result: tuple[KeyListed, ...]


def key_made(key: ApiKey, text: str) -> KeyMade:
    """Show a new key, with its text."""
    return KeyMade(
        api_key=text, api_key_id=key.id, name=key.name, scopes=tuple(sorted(key.grant.scopes)), **_limits(key.grant)
    )


def key_rotated(key: ApiKey, text: str, *, replaced: ApiKey) -> KeyRotated:
    """Show a key that takes another's place, with its text."""
    return KeyRotated(
        api_key=text,
        api_key_id=key.id,
        name=key.name,
        scopes=tuple(sorted(key.grant.scopes)),
        replaces=replaced.id,
        replaced_ends_at=_instant(replaced.grant.expires_at),
        **_limits(key.grant),
    )


def key_shown(key: ApiKey) -> KeyShown:
    """Show a key. Whether it is a honey key is not among what is shown: its thief would read it."""
    return KeyShown(
        api_key_id=key.id,
        name=key.name,
        scopes=tuple(sorted(key.grant.scopes)),
        created_at=str(_instant(key.created_at)),
        last_used_at=_instant(key.last_used_at),
        last_used_from=key.last_used_from,
        last_used_by=key.last_used_by,
        **_limits(key.grant),
    )


def _limits(grant: Grant) -> dict[str, Any]:
    return {
        "kind": kind_of(grant.scopes).value,
        "expires_at": _instant(grant.expires_at),
        "allowed_networks": tuple(map(str, grant.allowed_networks)),
        "allowed_authors": grant.allowed_authors,
        "allowed_recipient_domains": grant.allowed_recipient_domains,
        "budget": {measure.value: limit for measure, limit in tightest(grant.purses).limits()},
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
