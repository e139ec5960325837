"""Which ports the demo uses: the usual ones where they are free, others where they are not."""

import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from gatepost.primitives.errors import Misconfigured

WANTED: Final = {
    "submission": 2525,
    "submission, second": 2587,
    "submission, TLS from the start": 2465,
    "inbox": 2526,
    "inbox pages": 8025,
    "health and metrics": 9125,
    "DNS": 5354,
}

_TRIES: Final = 20

Probe: TypeAlias = Callable[[int], int | None]
"""Returns the port if it is free, None if not; for port 0 any free one."""


def choose_ports(wanted: Mapping[str, int], probe: Probe) -> dict[str, int]:
    """Return a free port for each purpose, all different, the wanted one where it can be had.

    Raises:
        Misconfigured: There are no free ports.
    """
    chosen: dict[str, int] = {}
    for purpose, port in wanted.items():
        found = next((free for free in _candidates(port, probe) if free not in chosen.values()), None)
        if found is None:
            raise Misconfigured("no TCP port of this machine is free: end some programs that listen")
        chosen[purpose] = found
    return chosen


def find_replaced(wanted: Mapping[str, int], chosen: Mapping[str, int]) -> list[str]:
    """Return a line for each wanted port that was taken."""
    return [
        f"port {port} ({purpose}) is taken by another program; using {chosen[purpose]}"
        for purpose, port in wanted.items()
        if port and chosen[purpose] != port
    ]


def probe_loopback(port: int) -> int | None:
    """Look whether nothing uses a port on loopback, neither TCP nor UDP, IPv4 nor IPv6; a ``Probe``."""
    try:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            # Connections that are only waiting to be forgotten do not matter; listeners still do.
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind(("127.0.0.1", port))
            found: int = tcp.getsockname()[1]
            udp.bind(("127.0.0.1", found))
            return None if _listens_on_ipv6(found) else found
    except OSError:
        return None


def bind_loopback(port: int) -> socket.socket:
    """Return a socket bound to a port of 127.0.0.1."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def _candidates(port: int, probe: Probe) -> Iterator[int]:
    for wanted in (port, *[0] * _TRIES) if port else [0] * _TRIES:
        free = probe(wanted)
        if free is not None:
            yield free


def _listens_on_ipv6(port: int) -> bool:
    # "localhost" is ::1 first for many clients, who would meet another program there.
    with socket.socket(socket.AF_INET6) as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("::1", port)) == 0
