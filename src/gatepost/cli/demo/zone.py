"""The DNS of the demo's world: ``example.test`` sends, ``inbox.test`` receives, ``relay.test`` is between them."""

from collections.abc import Iterable, Sequence

from gatepost.cli.demo.inbox.receiver import HOST_NAME as INBOX_HOST_NAME
from gatepost.network.authoritative_dns import AuthoritativeServer, ZoneSet
from gatepost.network.zone import Zone
from gatepost.tenancy.senders.dns_plan import PlannedRecord

SENDING_DOMAIN = "example.test"
RECEIVING_DOMAIN = "inbox.test"
RELAY_HOST_NAME = "relay.test"
_NAME_SERVER = "ns.relay.test"


def build_zones(published: Sequence[PlannedRecord]) -> list[Zone]:
    """Return all zones; ``published`` is what the sending domain's owner has put into the DNS."""
    receiving = {(RECEIVING_DOMAIN, "MX"): [f"10 {INBOX_HOST_NAME}."], (INBOX_HOST_NAME, "A"): ["127.0.0.1"]}
    relay = {(RELAY_HOST_NAME, "A"): ["127.0.0.1"], (_NAME_SERVER, "A"): ["127.0.0.1"]}
    sending = {(record.name, record.type.value): [record.rdata] for record in published}
    zones = {SENDING_DOMAIN: sending, RECEIVING_DOMAIN: receiving, RELAY_HOST_NAME: relay}
    return [Zone(origin, records, name_servers=[_NAME_SERVER]) for origin, records in zones.items()]


class LocalDNS:
    """Answers for these zones on one port of 127.0.0.1, and for nothing else."""

    def __init__(self) -> None:
        self._server = AuthoritativeServer(ZoneSet(build_zones(())))

    async def start(self, port: int) -> None:
        """Answer from now on."""
        await self._server.start("127.0.0.1", port)

    def publish(self, records: Iterable[PlannedRecord]) -> None:
        """Put records into the sending domain's zone."""
        self._server.zones = ZoneSet(build_zones(tuple(records)))

    async def stop(self) -> None:
        """Answer no more."""
        await self._server.stop()
