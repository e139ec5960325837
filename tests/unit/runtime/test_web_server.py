import asyncio
import signal
import socket

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gatepost.runtime.web_server import WebServer


@pytest.fixture
def bound():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


async def test_web_server_serves_until_it_is_told_to_stop_and_leaves_signals_alone(bound):
    app = Starlette(routes=[Route("/", lambda _request: PlainTextResponse("here"))])
    ready, stopping = asyncio.Event(), asyncio.Event()
    before = signal.getsignal(signal.SIGTERM)
    server = WebServer(app, on_ready=ready.set)
    serving = asyncio.create_task(server.run_until(stopping, [bound]))
    await asyncio.wait_for(ready.wait(), 5)

    reader, writer = await asyncio.open_connection(*bound.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)

    assert answer.endswith(b"here")
    assert b"uvicorn" not in answer
    assert signal.getsignal(signal.SIGTERM) == before
    writer.close()
    stopping.set()
    await asyncio.wait_for(serving, 10)
