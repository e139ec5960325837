"""Gatepost as it ships: two mail workers, embedded store, RSA-2048 and Ed25519 signatures."""

import os
from pathlib import Path

from tests.support.relay import Relay

from benchmarks.rig import Shape


class Gatepost:
    """A whole relay whose every destination is the sink."""

    name = "Gatepost"

    def __init__(self) -> None:
        self._relay: Relay | None = None

    def start(self, folder: Path, sink_port: int) -> None:
        """Set up account, domain and key, and start the service."""
        settings = '[log]\nlevel = "warning"\n'
        delivery = "connections_per_destination = 50\nmessages_per_connection = 1000\n"
        self._relay = Relay(
            folder,
            {"*": f"127.0.0.1:{sink_port}"},
            workers=os.cpu_count() or 1,
            extra=settings,
            delivery=delivery,
        )
        self._relay.start()

    def arguments(self, shape: Shape) -> list[str]:
        """Port and credentials for the load program."""
        assert self._relay is not None
        port = self._relay.implicit_port if shape.tls == "implicit" else self._relay.starttls_port
        return ["-p", str(port), "-u", "apikey", "-w", self._relay.key]

    def stop(self) -> None:
        """End it."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None
