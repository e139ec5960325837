"""What a command is given: ``ctx.obj``, as ``cli.main`` makes it and tests stand in for it.

Commands let our own errors rise: their texts say what to do, and ``cli.main`` ends with them.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Protocol

from gatepost.primitives.secret import Secret

if TYPE_CHECKING:
    # No command needs all of these, and each imports what it needs.
    from gatepost.mailflow.queue.recipient import Predicate
    from gatepost.network.zone import Zone
    from gatepost.runtime.control_plane import ControlPlane
    from gatepost.storage.queue_sqlite.readings import Readings
    from gatepost.tenancy.senders.ports import Resolver
    from gatepost.tenancy.senders.posture import PolicyFetcher
    from gatepost.tenancy.senders.rotation import RotationPolicy


class WorkerReport(Protocol):
    """What became of a request at one queue shard; ``runtime.control_client`` makes them."""

    @property
    def index(self) -> int:
        """Which shard, and so which mail worker."""
        ...

    @property
    def count(self) -> int:
        """How many recipients were concerned."""
        ...

    @property
    def trouble(self) -> str:
        """Why it is not known to have happened there, for the operator; "" if it has."""
        ...


class Workers(Protocol):
    """All mail workers and queue shards of this machine. Nothing here raises for one that is broken."""

    def refresh(self, *, timeout: timedelta) -> Sequence[WorkerReport]:
        """Have every mail worker forget the rights it holds, then wait until every accept it had begun is settled.

        When no report has a trouble, each later acceptance is judged by what was committed before the call.
        """
        ...

    def refresh_and_hold(self, predicate: "Predicate", *, reason: str, timeout: timedelta) -> Sequence[WorkerReport]:
        """As ``refresh``; then hold everything queued that matches.

        The order makes it exact: what was accepted last under the old right is in the queue by then. A shard whose
        worker does not run is held directly. May be called again; what is held stays held.
        """
        ...

    def hold(self, predicate: "Predicate", *, reason: str, timeout: timedelta) -> Sequence[WorkerReport]:
        """Hold what matches in every shard; see the Queue port."""
        ...

    def release(self, predicate: "Predicate", *, timeout: timedelta) -> Sequence[WorkerReport]:
        """Queue again what is held and matches in every shard; see the Queue port."""
        ...

    def remove(self, predicate: "Predicate", *, reason: str, timeout: timedelta) -> Sequence[WorkerReport]:
        """Drop what is queued or held and matches in every shard; see the Queue port."""
        ...


class SenderSettings(Protocol):
    """The settings that customers' DNS records are made from."""

    @property
    def sending_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Where mail leaves from."""
        ...

    @property
    def protected_names(self) -> tuple[str, ...]:
        """The operator's own domains, beside the host name."""
        ...

    @property
    def signing_domain(self) -> str | None:
        """The verified domain whose keys sign mail of single senders."""
        ...


class DNSSettings(Protocol):
    """The settings of our own zone that these commands read."""

    @property
    def zone(self) -> str:
        """Its name; "" for none."""
        ...


class CommandSettings(Protocol):
    """The settings that these commands read; ``runtime.settings.Settings`` has them."""

    @property
    def host_name(self) -> str:
        """The service's own name."""
        ...

    @property
    def control_database_url(self) -> Secret[str]:
        """Where the control-plane database is."""
        ...

    @property
    def senders(self) -> SenderSettings:
        """The table of that name."""
        ...

    @property
    def dns(self) -> DNSSettings:
        """The table of that name."""
        ...


class CommandContext(Protocol):
    """What every command may ask for. Things are opened when asked for, so that ``--help`` needs nothing."""

    @property
    def settings(self) -> CommandSettings:
        """The settings file, read."""
        ...

    def control_plane(self) -> "ControlPlane":
        """Open the control plane; the command closes it."""
        ...

    def workers(self) -> Workers:
        """Return the way to the mail workers."""
        ...

    def readings(self) -> "AbstractContextManager[Readings]":
        """Open every shard there is at this moment, read-only and by number, for the length of a block.

        What could not be read of it is told when the command ends, which then has failed.
        """
        ...

    def resolver(self) -> "Resolver":
        """Make a resolver, to be used within one event loop."""
        ...

    def policy_fetcher(self, resolver: "Resolver") -> "PolicyFetcher":
        """Make what fetches MTA-STS policies."""
        ...

    def own_zone(self, plane: "ControlPlane") -> "Zone":
        """Return our own zone as it is now. Raises ``Misconfigured`` where there is none."""
        ...

    def push_own_zone(self, plane: "ControlPlane") -> int:
        """Bring the operator's name server up to it; return how many sets of records had to change."""
        ...

    def rotation_policy(self) -> "RotationPolicy":
        """Return how long DKIM keys live."""
        ...
