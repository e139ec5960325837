"""The inbox over HTTP, on loopback: a list, a message, its source."""

import asyncio
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gatepost.cli.demo.inbox.mailbox import Mailbox, StoredMessage
from gatepost.cli.demo.inbox.pages import CONTENT_SECURITY_POLICY, render_list, render_message, render_missing
from gatepost.cli.demo.inbox.reading import MAX_READ_OCTETS, read_message

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def compose_inbox_app(mailbox: Mailbox) -> Starlette:
    """Put the pages together."""

    async def list_messages(_request: Request) -> Response:
        return _page(render_list(mailbox.list_newest()))

    async def show_message(request: Request) -> Response:
        message = mailbox.find(request.path_params["number"])
        if message is None:
            return _page(render_missing(), status=404)
        return _page(await asyncio.to_thread(_render_stored, message))

    async def show_source(request: Request) -> Response:
        message = mailbox.find(request.path_params["number"])
        if message is None:
            return _page(render_missing(), status=404)
        octets = await asyncio.to_thread(message.path.read_bytes)
        return Response(octets, headers={**_HEADERS, "Content-Type": "text/plain; charset=utf-8"})

    return Starlette(
        routes=[
            Route("/", list_messages, methods=["GET"]),
            Route("/message/{number:int}", show_message, methods=["GET"]),
            Route("/message/{number:int}/source", show_source, methods=["GET"]),
        ],
        # A page elsewhere that has its own name resolve to 127.0.0.1 must not read the mail here (DNS rebinding).
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


def _render_stored(message: StoredMessage) -> str:
    with message.path.open("rb") as file:
        # One octet more than is shown, so that the page can say that there is more.
        return render_message(message, read_message(file.read(MAX_READ_OCTETS + 1)))


def _page(html: str, *, status: int = 200) -> Response:
    return HTMLResponse(html, status_code=status, headers=_HEADERS)
