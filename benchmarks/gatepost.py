"""Gatepost as it ships: one mail worker a core, embedded store, RSA-2048 and Ed25519 signatures."""

import os
from pathlib import Path

from tests.support.relay import Relay

from benchmarks.rig import DESTINATION_CONNECTIONS, Shape

SETTINGS = """
[log]
level = "warning"

[submission]
max_sessions_per_address = 10000
"""

DELIVERY = """
connections_per_destination = {connections}
messages_per_connection = 1000
"""


class Gatepost:
    """A whole relay whose every destination is the sink."""

    name = "Gatepost"

    def __init__(self) -> None:
        self._relay: Relay | None = None

    @staticmethod
    def find_missing() -> list[str]:
        """Nothing: it is here."""
        return []

    def start(self, folder: Path, sink_port: int) -> None:
        """Set up account, domain and key, and start the service."""
        workers = os.cpu_count() or 1
        self._relay = Relay(
            folder,
            {"*": f"127.0.0.1:{sink_port}"},
            workers=workers,
            extra=SETTINGS,
            delivery=DELIVERY.format(connections=max(1, DESTINATION_CONNECTIONS // workers)),
        )
        self._relay.start()

    def arguments(self, shape: Shape) -> list[str]:
        """Port and credentials for the load program."""
        assert self._relay is not None
        if shape.tls == "https":
            return ["-p", str(self._relay.api_port), "-j", self._relay.key]
        port = self._relay.implicit_port if shape.tls == "implicit" else self._relay.starttls_port
        return ["-p", str(port), "-u", "apikey", "-w", self._relay.key]

    def roots(self) -> list[int]:
        """The supervisor."""
        assert self._relay is not None
        return [self._relay.process_id]

    def stop(self) -> None:
        """End it."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None
