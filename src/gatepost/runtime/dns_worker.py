"""The DNS worker: answers for our own zone, and follows what changes there.

While the control plane does not answer it goes on answering with the zone as it was: customers' mail is verified by it.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from gatepost.network.authoritative_dns import AuthoritativeServer, ZoneSet
from gatepost.primitives.errors import RelayError
from gatepost.runtime.own_zone import OwnZone
from gatepost.telemetry.logger import get_logger

LOOK_EVERY: Final = timedelta(milliseconds=500)

log = get_logger()


class DNSWorker:
    """Serves the zone until told to stop."""

    def __init__(self, own_zone: OwnZone, *, on_ready: Callable[[], None]) -> None:
        self._own_zone = own_zone
        self._on_ready = on_ready
        self._server = AuthoritativeServer(ZoneSet([]))
        self._is_silent = False

    async def run_until(self, stopping: asyncio.Event, sockets: Sequence[socket.socket]) -> None:
        """Read the zone, then answer; a control plane that is not there at the start is waited for."""
        while not await self._refresh(is_first=True):
            if await _is_set_within(stopping, LOOK_EVERY):
                return
        for sock in sockets:
            await self._server.serve(sock)
        log.info("listening", listener="dns", addresses=[str(sock.getsockname()[:2]) for sock in sockets])
        self._on_ready()
        try:
            while not await _is_set_within(stopping, LOOK_EVERY):
                await self._refresh()
        finally:
            await self._server.stop()

    async def _refresh(self, *, is_first: bool = False) -> bool:
        """Take up what has changed; return whether the control plane answered."""
        try:
            has_changed = await asyncio.to_thread(self._own_zone.refresh)
        except RelayError as error:
            if not self._is_silent:
                log.error("zone_not_read", reason=str(error))  # noqa: TRY400 - the text says it all
            self._is_silent = True
            return False
        self._is_silent = False
        if has_changed or is_first:
            self._server.zones = ZoneSet([self._own_zone.zone])
            log.info("zone_changed", serial=self._own_zone.zone.serial)
        return True


async def _is_set_within(event: asyncio.Event, pause: timedelta) -> bool:
    try:
        async with asyncio.timeout(pause.total_seconds()):
            await event.wait()
    except TimeoutError:
        return False
    return True
