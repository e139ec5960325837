"""How the connections of one listener are served."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from gatepost.entrypoints.smtp.time_limits import TimeLimits
from gatepost.standards.smtp.server import SessionSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """What all connections of a listener have in common.

    Attributes:
        implicit_tls: TLS from the first octet (RFC 8314 §3.3).
        proxies: From these networks, and only from these, a PROXY protocol preamble is read, and required.
    """

    session: SessionSettings
    implicit_tls: bool = False
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    limits: TimeLimits = field(default_factory=TimeLimits)
