"""The inbox, running: an SMTP listener that takes no AUTH, and the web pages beside it."""

import asyncio
import socket
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from gatepost.cli.demo.inbox.handler import InboxHandler
from gatepost.cli.demo.inbox.mailbox import Mailbox
from gatepost.cli.demo.inbox.verdict import check_message
from gatepost.cli.demo.inbox.web import compose_inbox_app
from gatepost.entrypoints.smtp.connection_settings import ConnectionSettings
from gatepost.entrypoints.smtp.listener import SMTPListener
from gatepost.entrypoints.smtp.session_caps import SessionCaps
from gatepost.network.certificates import CertificateFiles
from gatepost.network.resolver import CachingResolver, Nameserver
from gatepost.network.tls_contexts import build_server_context
from gatepost.primitives.clock import Clock
from gatepost.runtime.web_server import WebServer
from gatepost.standards.smtp.session_settings import SessionSettings
from gatepost.telemetry.metrics import Metrics

HOST_NAME: Final = "mx.inbox.test"
_DRAIN_FOR: Final = timedelta(seconds=1)


class Inbox:
    """Listens from ``start`` to ``stop``."""

    def __init__(self, folder: Path, *, certificate: CertificateFiles, dns_port: int, clock: Clock) -> None:
        folder.mkdir(mode=0o700)
        self.mailbox = Mailbox(folder)
        resolver = CachingResolver([Nameserver("127.0.0.1", dns_port)], monotonic=time.monotonic)
        context = build_server_context([certificate])
        self._listener = SMTPListener(
            name="inbox",
            settings=ConnectionSettings(session=SessionSettings(host_name=HOST_NAME, takes_auth=False)),
            open_handler=partial(
                InboxHandler,
                mailbox=self.mailbox,
                checks=partial(check_message, resolver=resolver, host_name=HOST_NAME),
                clock=clock,
            ),
            tls_context=lambda: context,
            caps=SessionCaps(max_sessions=100, max_sessions_per_address=100),
            metrics=Metrics(),
        )
        self._stopping = asyncio.Event()
        self._web: asyncio.Task[None] | None = None

    async def start(self, smtp: socket.socket, web: socket.socket) -> None:
        """Serve on sockets that are bound already."""
        await self._listener.start([smtp])
        listening = asyncio.Event()
        server = WebServer(compose_inbox_app(self.mailbox), on_ready=listening.set)
        self._web = asyncio.create_task(server.run_until(self._stopping, [web]))
        await listening.wait()

    async def stop(self) -> None:
        """Serve no more."""
        self._stopping.set()
        await self._listener.stop(drain_for=_DRAIN_FOR)
        if self._web is not None:
            await self._web
