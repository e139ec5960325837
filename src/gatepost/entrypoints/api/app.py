"""The application: its paths, made of the operations."""

import asyncio
from collections.abc import Sequence
from functools import cache
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router

from gatepost.entrypoints.api.endpoint import Endpoint, EndpointServices, not_found
from gatepost.entrypoints.api.openapi import DOCUMENT_PATH, render_document
from gatepost.entrypoints.api.operation import Operation


def build_app(services: EndpointServices, operations: Sequence[Operation], *more: BaseRoute) -> Router:
    """Put operations under their paths, beside the document that describes them and what is no tenant's affair."""
    by_path = groupby(sorted(operations, key=lambda each: each.path), key=lambda each: each.path)
    routes = [Route(path, Endpoint(services, tuple(group))) for path, group in by_path]
    return Router([*routes, _document_route(operations), *more], redirect_slashes=False, default=not_found)


def _document_route(operations: Sequence[Operation]) -> Route:
    # When it is first asked for: it takes longer to describe the operations than to put all else together.
    render = cache(lambda: render_document(operations))

    async def show(_request: Request) -> Response:
        return Response(await asyncio.to_thread(render), media_type="application/json")

    return Route(DOCUMENT_PATH, show, methods=["GET"])
