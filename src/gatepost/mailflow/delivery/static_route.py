"""Routes set by the operator: for one domain, or ``*`` for all others (a smarthost)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gatepost.mailflow.delivery.tls_requirement import TLSRequirement

ANY_DOMAIN = "*"

_ROUTE = re.compile(r"(?:\[(?P<bracketed>[^\[\]\s]+)\]|(?P<host>[^\[\]\s:]+))(?::(?P<port>[0-9]{1,5}))?\Z")
_REQUIREMENTS = {"require-tls": TLSRequirement.ENCRYPTED, "verify-tls": TLSRequirement.VERIFIED}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticRoute:
    """One next hop, by name or address; its MX records are not asked for, and any address is allowed.

    Attributes:
        tls: None for what applies to all destinations.
    """

    host: str
    port: int = 25
    tls: TLSRequirement | None = None

    @property
    def destination(self) -> str:
        """The name under which it is shaped; no domain name holds a colon."""
        return f"{self.host}:{self.port}"


def parse_static_route(text: str) -> StaticRoute:
    """Read ``host``, ``host:port`` or ``[host]:port`` (IPv6 needs the brackets).

    A second word may say what TLS it must show: ``require-tls``, or ``verify-tls`` for a valid certificate too.

    Raises:
        ValueError: The text is none of these; the message says what to write.
    """
    address, _, word = text.strip().partition(" ")
    match = _ROUTE.match(address)
    port = int((match and match["port"]) or 25)
    if match is None or not 0 < port < 65536 or (word and word not in _REQUIREMENTS):
        raise ValueError(
            f'"{text}" is no route: write "host:port" or "[address]:port", and after a space "require-tls" or '
            '"verify-tls" where wanted'
        )
    return StaticRoute(host=(match["bracketed"] or match["host"]).lower(), port=port, tls=_REQUIREMENTS.get(word))


def find_static_route(domain: str, routes: Mapping[str, StaticRoute]) -> StaticRoute | None:
    """Return the route set for a domain, or else the one for any domain."""
    return routes.get(domain) or routes.get(ANY_DOMAIN)
