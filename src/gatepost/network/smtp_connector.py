"""Opens connections to receiving hosts: address, greeting, EHLO, TLS."""

import asyncio
from weakref import WeakSet

from gatepost.mailflow.delivery.route import NextHop
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement
from gatepost.network.delivery_tls import DeliveryTLS
from gatepost.network.smtp_connection import SMTPConnection, connect_failed
from gatepost.standards.smtp.client import ClientSession
from gatepost.standards.smtp.transaction import ClientTimeouts, FailureKind, Stage


class SMTPConnector:
    """Implements the Connector port."""

    def __init__(
        self,
        *,
        greeting_name: str,
        tls: DeliveryTLS,
        timeouts: ClientTimeouts | None = None,
        source_address: str | None = None,
    ) -> None:
        """Say ``greeting_name`` at EHLO; connect from ``source_address`` if given, where a hop names no other."""
        self._greeting_name = greeting_name
        self._tls = tls
        self._timeouts = timeouts or ClientTimeouts()
        self._connections: WeakSet[SMTPConnection] = WeakSet()
        self._local_address = (source_address, 0) if source_address else None

    @property
    def open_connections(self) -> int:
        """How many there are, in use or idle."""
        return sum([connection.is_open for connection in self._connections])

    async def connect(self, hop: NextHop) -> SMTPConnection:
        """Connect, wait for the greeting, say EHLO, make TLS as ``hop.tls`` demands.

        Raises:
            ConnectFailed: It did not come to that; nothing is left open.
        """
        connection = await self._open(hop)
        try:
            await connection.wait_ready()
            if hop.tls is not TLSRequirement.NONE:
                await self._secure(connection, hop)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _open(self, hop: NextHop) -> SMTPConnection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeouts.seconds(Stage.CONNECT)):
                _, connection = await loop.create_connection(
                    lambda: SMTPConnection(ClientSession(greeting_name=self._greeting_name), self._timeouts),
                    hop.address,
                    hop.port,
                    local_addr=(hop.source, 0) if hop.source else self._local_address,
                )
        except TimeoutError:
            raise connect_failed(FailureKind.TIMED_OUT, Stage.CONNECT) from None
        except OSError as error:
            raise connect_failed(FailureKind.UNREACHABLE, Stage.CONNECT, error.strerror or "") from error
        self._connections.add(connection)
        return connection

    async def _secure(self, connection: SMTPConnection, hop: NextHop) -> None:
        if connection.extensions.starttls:
            await connection.start_tls(self._tls.context_for(hop.tls), hop.host)
        if connection.tls or hop.tls is TLSRequirement.OPPORTUNISTIC:
            return
        offered = "refused" if connection.extensions.starttls else "not offered"
        raise connect_failed(FailureKind.TLS, Stage.STARTTLS, f"STARTTLS {offered}, but TLS is required")
