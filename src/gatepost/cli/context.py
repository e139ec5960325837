"""What a command is given: ``ctx.obj``, as ``cli.main`` makes it and tests stand in for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from gatepost.primitives.ids import AccountId, KeyId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.senders.ports import Resolver


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersAnswer:
    """What the mail workers said.

    Attributes:
        held: How many recipients were put on hold, in all queues together.
        uncertain: What is not known to have been done, one sentence each, written for the operator: "mail worker 2
            (pid 4711) did not answer within 10 s". Empty when all of it is certain.
    """

    held: int = 0
    uncertain: tuple[str, ...] = ()


class Workers(Protocol):
    """The mail workers of this machine, as a command reaches them. Nothing here raises for a worker that is broken."""

    def refresh(self) -> WorkersAnswer:
        """Have every mail worker forget the rights it holds, then wait until every accept it had begun is settled.

        When this returns without anything uncertain, each later acceptance is judged by what was committed before
        the call. Waits no longer than the control client's time limit.
        """
        ...

    def refresh_and_hold(
        self, *, account_id: AccountId | None = None, key_id: KeyId | None = None, reason: str
    ) -> WorkersAnswer:
        """As ``refresh``; then hold everything that is queued under the key or account, of which one is given.

        The order makes it exact: what was accepted last under the old right is in the queue by then. A queue whose
        worker does not run is held directly, or named as uncertain. May be called again; what is held stays held.
        """
        ...


class SenderSettings(Protocol):
    """The settings that customers' DNS records are made from."""

    @property
    def sending_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Where mail leaves from."""
        ...


class CommandSettings(Protocol):
    """The settings that these commands read; ``runtime.settings.Settings`` has them."""

    @property
    def host_name(self) -> str:
        """The service's own name."""
        ...

    @property
    def senders(self) -> SenderSettings:
        """The table of that name."""
        ...


class CommandContext(Protocol):
    """What every command may ask for. Things are opened when asked for, so that ``--help`` needs nothing."""

    @property
    def settings(self) -> CommandSettings:
        """The settings file, read."""
        ...

    def control_plane(self) -> ControlPlane:
        """Open the control plane; the command closes it."""
        ...

    def workers(self) -> Workers:
        """Return the way to the mail workers."""
        ...

    def resolver(self) -> Resolver:
        """Make a resolver, to be used within one event loop."""
        ...


def describe(uncertain: Sequence[str]) -> str:
    """Join what is uncertain into lines."""
    return "\n".join(f"  - {sentence}" for sentence in uncertain)
