"""A DNS server on loopback, in a thread of its own, whose zones a test may change."""

import asyncio
import threading
from collections.abc import Mapping, Sequence

from gatepost.network.authoritative_dns import AuthoritativeServer, ZoneSet
from gatepost.network.zone import Zone

Records = Mapping[tuple[str, str], Sequence[str]]


class DNSZone:
    """Serves one zone for ``origin``; ``ttl``, in seconds, holds for what is published from then on."""

    ttl = 60

    def __init__(self, origin: str, records: Records) -> None:
        self._origin = origin
        self._server = AuthoritativeServer(ZoneSet([]))
        self.publish(records)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start("127.0.0.1", 0), self._loop).result(10)
        self.address = f"127.0.0.1:{self._server.port}"

    def publish(self, records: Records) -> None:
        """Serve these from now on."""
        self._server.zones = ZoneSet([Zone(self._origin, records, name_servers=[f"ns.{self._origin}"], ttl=self.ttl)])

    def stop(self) -> None:
        """Serve no more."""
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
