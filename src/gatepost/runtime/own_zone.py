"""Our own zone, kept as the control plane has it: for the responder, an export, a push."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Protocol

from gatepost.network.zone import Zone
from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.settings import Settings
from gatepost.tenancy.senders.dns_plan import Relay, plan_own_zone
from gatepost.tenancy.senders.domain import ZoneChange

_FORM: Final = 1
"""Counted up with the program's way of writing the zone (``plan_own_zone``, ``Zone``): that changes it as well."""


class ZoneSource(Protocol):
    """Tells what has changed; any DomainStore does."""

    def read_zone(self, since: int) -> ZoneChange | None:
        """Return what has changed since a serial; None for nothing."""
        ...

    def note_zone_settings(self, settings_hash: str) -> None:
        """Count the serial up if the zone was last made with other settings."""
        ...


def relay_of(settings: Settings) -> Relay:
    """Return what customers' records lead to."""
    return Relay(
        host_name=settings.host_name,
        sending_networks=settings.senders.sending_networks,
        zone=settings.dns.zone.lower(),
    )


class OwnZone:
    """Holds the zone; costs what has changed, not what there is."""

    def __init__(
        self, source: ZoneSource, relay: Relay, *, name_servers: Sequence[str] = (), contact: str = ""
    ) -> None:
        """Hold a zone without claims, until the first ``refresh``."""
        self._source: Final = source
        self._relay: Final = relay
        self._serial = 0
        self._settings_hash = _hash_settings(relay, name_servers, contact)
        self._places: dict[str, list[tuple[str, str]]] = {}
        self.zone = Zone(relay.zone, {}, name_servers=name_servers or [relay.host_name], contact=contact)

    def refresh(self) -> bool:
        """Bring the zone up to what the control plane says; return whether anything has changed.

        Raises:
            Transient: The control plane does not answer; the zone stays as it was.
            Misconfigured: What it says makes no zone.
        """
        if not self._serial:
            # Once: of two machines that are given new settings one after the other neither counts up again and again.
            self._source.note_zone_settings(self._settings_hash)
        change = self._source.read_zone(self._serial)
        if change is None:
            return False
        planned = {claim.label or "": plan_own_zone([claim], self._relay) for claim in change.changed}
        gone = (self._places.keys() - change.labels) | planned.keys()
        self.zone = self.zone.changed(
            gone=[place for label in gone for place in self._places.get(label, ())],
            records={place: values for records in planned.values() for place, values in records.items()},
            serial=change.serial,
        )
        for label in gone:
            self._places.pop(label, None)
        self._places |= {label: list(records) for label, records in planned.items()}
        self._serial = change.serial
        return True


def _hash_settings(relay: Relay, name_servers: Sequence[str], contact: str) -> str:
    """Return what stands for everything in the zone that no claim says."""
    networks = [str(network) for network in relay.sending_networks]
    said = [_FORM, relay.zone, relay.host_name, networks, list(name_servers), contact]
    return sha256(json.dumps(said).encode()).hexdigest()


def read_own_zone(source: ZoneSource, settings: Settings) -> Zone:
    """Return the zone as it is now.

    Raises:
        Misconfigured: There is none.
        Transient: The control plane does not answer.
    """
    if not settings.dns.zone:
        raise Misconfigured("there is no zone of our own: set [dns] zone, and delegate it to this service")
    own_zone = open_own_zone(source, settings)
    own_zone.refresh()
    return own_zone.zone


def open_own_zone(source: ZoneSource, settings: Settings) -> OwnZone:
    """Return the zone of the settings, without claims yet."""
    dns = settings.dns
    return OwnZone(source, relay_of(settings), name_servers=dns.name_servers, contact=dns.contact)
