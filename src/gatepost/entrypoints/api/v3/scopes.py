"""``GET /v3/scopes``: what the caller may do."""

from msgspec import Struct

from gatepost.entrypoints.api.operation import Answer, Call, Operation


class Scopes(Struct, frozen=True, kw_only=True):
    """Names of the scope catalogue, in order."""

    scopes: tuple[str, ...]


async def show(call: Call) -> Answer:
    """Return the scopes of the calling key, or person."""
    return Answer(status=200, body=Scopes(scopes=tuple(sorted(call.principal.scopes))))


OPERATIONS = (
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
