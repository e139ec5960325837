"""``/v3/scopes``: what the caller may do, and the groups that scopes are chosen by."""

from typing import Final

from msgspec import Struct

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.tenancy.access.scope_group import GROUPS


class Scopes(Struct, frozen=True, kw_only=True):
    """Names of the scope catalogue, in order."""

    scopes: tuple[str, ...]


async def show(call: Call) -> Answer:
    """Return the scopes of the calling key, or person."""
    return Answer(status=200, body=Scopes(scopes=tuple(sorted(call.principal.scopes))))


class Group(Struct, frozen=True, kw_only=True):
    """A feature; with ``read`` a key has the first scopes, with ``full`` the second."""

    name: str
    read: tuple[str, ...]
    full: tuple[str, ...]


class Groups(Struct, frozen=True, kw_only=True):
    """Every group; each scope that a key can be given is in one of them."""

    groups: tuple[Group, ...]


_GROUPS: Final = Groups(
    groups=tuple(Group(name=each.name, read=tuple(sorted(each.read)), full=tuple(sorted(each.full))) for each in GROUPS)
)


async def show_groups(_: Call) -> Answer:
    """Return the groups of scopes."""
    return Answer(status=200, body=_GROUPS)


OPERATIONS = (
    Operation(
        method="GET",
        path="/v3/scopes/groups",
        name="ListScopeGroups",
        summary="List the groups that scopes are chosen by.",
        scope=None,
        run=show_groups,
        gives={200: Groups},
    ),
    Operation(
        method="GET",
        path="/v3/scopes",
        name="ListScopes",
        summary="List what the caller may do.",
        scope=None,
        is_on_behalf=True,
        run=show,
        gives={200: Scopes},
    ),
)
