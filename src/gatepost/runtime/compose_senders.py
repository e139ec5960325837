"""The composition of what judges names: the guard before the proof of a domain."""

from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.control_plane import ControlPlane
from gatepost.standards.address import AddressError, parse_domain
from gatepost.tenancy.senders.look_alike import LookAlikes
from gatepost.tenancy.senders.look_alike_guard import LookAlikeGuard
from gatepost.tenancy.senders.public_suffix import PublicSuffixes


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
