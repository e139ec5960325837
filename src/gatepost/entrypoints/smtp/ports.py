"""What the pump asks of others: of whoever decides for a session, and of the listener that made the connection."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Final, Protocol, TypeAlias

from gatepost.entrypoints.smtp.connection_settings import ConnectionSettings
from gatepost.entrypoints.smtp.session_caps import PeerAddress
from gatepost.standards.smtp.events import ServerEvent
from gatepost.standards.smtp.replies import Reply
from gatepost.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision on an event that asks.

    Attributes:
        reply: What the peer is told: 2xx and 3xx accept, 4xx and 5xx refuse. None accepts in the session's own words.
        closes: Refuse, and end the session.
    """

    reply: Reply | None = None
    closes: bool = False


YES: Final = Answer()

Deciding: TypeAlias = Coroutine[Any, Any, Answer]
"""A decision that takes time."""


class SessionHandler(Protocol):
    """Decides for one session."""

    def handle(self, event: ServerEvent) -> Answer | Deciding | None:
        """Take note of an event; answer those that ask, at once or by a coroutine, and return None for the others.

        A coroutine is run to its end even if the peer is gone meanwhile; nothing else is asked until then.
        """
        ...

    def close(self) -> None:
        """The connection is gone: let go of what was collected, unless a coroutine still works with it."""
        ...


class SessionView(Protocol):
    """What a handler may see of its connection."""

    @property
    def peer_address(self) -> PeerAddress:
        """The client's address, behind proxies too."""
        ...

    @property
    def greeting(self) -> str:
        """What the client said at EHLO; "" before."""
        ...

    @property
    def tls(self) -> str:
        """Protocol and cipher; "" without TLS."""
        ...


OpenHandler: TypeAlias = Callable[[SessionView], SessionHandler]
"""Makes the handler of a new session."""


class Connection(Protocol):
    """What a listener may do with a connection of its own."""

    def drain(self) -> None:
        """Take no further transaction: end now, or when the one under way has ended."""
        ...

    def end(self, reply: Reply) -> None:
        """Say a last word and hang up, whatever is under way."""
        ...


class ConnectionOwner(Protocol):
    """What a connection needs of its listener."""

    @property
    def settings(self) -> ConnectionSettings:
        """How to serve."""
        ...

    @property
    def metrics(self) -> Metrics:
        """Where to count."""
        ...

    def tls_context(self) -> SSLContext:
        """Return the context for a handshake that begins now."""
        ...

    def open_handler(self, view: SessionView) -> SessionHandler:
        """Make the handler of a new session."""
        ...

    def connection_opened(self, connection: Connection) -> bool:
        """Count a connection; return whether there is room for it."""
        ...

    def client_known(self, address: PeerAddress) -> bool:
        """Count a client's session; return whether it may have one more."""
        ...

    def connection_closed(self, connection: Connection, address: PeerAddress | None) -> None:
        """Count it out; ``address`` is what ``client_known`` was told, if it was."""
        ...

    def run(self, decision: Deciding) -> "asyncio.Task[Answer]":
        """Start a decision; it is run to its end whatever becomes of the connection."""
        ...
