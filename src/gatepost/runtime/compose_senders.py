"""The composition of what judges names: the guard before the proof of a domain, and what follows a change of rights."""

from datetime import timedelta

from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.compose_workers import compose_workers
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.rights_changed import TIMEOUT, ControlledWorkers
from gatepost.runtime.sender_settlement import QueueControl, SenderSettlement
from gatepost.runtime.settings import Settings
from gatepost.standards.address import AddressError, parse_domain
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.look_alike import LookAlikes
from gatepost.tenancy.senders.look_alike_guard import LookAlikeGuard
from gatepost.tenancy.senders.public_suffix import PublicSuffixes
from gatepost.tenancy.senders.sender_rights import SenderRights


def compose_guard(control: ControlPlane, host_name: str, protected_names: tuple[str, ...]) -> LookAlikeGuard:
    """Put together what holds names that look like others', for the operator to judge. Raises ``Misconfigured``."""
    try:
        protected = [parse_domain(name) for name in (host_name, *protected_names)]
    except AddressError as error:
        raise Misconfigured(f"senders.protected_names: {error}; write names like example.com") from error
    return LookAlikeGuard(
        reviews=control.reviews,
        names=control.domains,
        look_alikes=LookAlikes(PublicSuffixes()),
        protected=protected,
        unit_of_work=control.audit.unit_of_work,
    )


def compose_sender_settlement(control: ControlPlane, workers: QueueControl, *, timeout: timedelta) -> SenderSettlement:
    """Put together what makes the queue agree with who may send in a name."""
    rights = SenderRights(
        domains=control.domains,
        senders=control.senders,
        verified=VerifiedDomains(control.domains, PublicSuffixes(), control.senders),
    )
    return SenderSettlement(rights, workers, timeout=timeout)


def compose_rights_changed(settings: Settings, control: ControlPlane) -> ControlledWorkers:
    """Put together what makes a change of rights exact, for a process of the service."""
    workers = compose_workers(settings)
    return ControlledWorkers(workers, compose_sender_settlement(control, workers, timeout=TIMEOUT))
