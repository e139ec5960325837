"""Listening sockets, bound once by the supervisor and handed to its children.

Each mail worker has sockets of its own on the same ports (``SO_REUSEPORT``), between which the kernel spreads new
connections. The supervisor keeps them open: ports below 1024 are bound while it is still root, and a worker that is
started again finds its sockets with whatever connected meanwhile.
"""

import errno
import socket
from collections.abc import Sequence
from contextlib import suppress

from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.settings import API, Listener
from gatepost.runtime.settings_of_senders import DNS

EVERYWHERE = ("0.0.0.0", "::")
BACKLOG = 1024


class ListenerSockets:
    """The sockets of one process, each with the name of its listener."""

    def __init__(self) -> None:
        self.named: list[tuple[str, socket.socket]] = []

    def add(self, name: str, sock: socket.socket) -> None:
        """Take one more."""
        self.named.append((name, sock))

    @property
    def descriptors(self) -> tuple[int, ...]:
        """File descriptors, to pass to the child."""
        return tuple(sock.fileno() for _, sock in self.named)

    def listen(self) -> None:
        """Let connections wait for the process that will take them, instead of being refused until it is there."""
        for _, sock in self._streams():
            sock.listen(BACKLOG)

    def stop_listening(self) -> None:
        """Let the kernel send new connections elsewhere; the ports stay ours, and listening again is possible.

        Those that had connected and were not yet accepted are reset.
        """
        for _, sock in self._streams():
            # Not listening (yet, or any more) is what is wanted.
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _streams(self) -> list[tuple[str, socket.socket]]:
        # A datagram socket knows no listening, and after a shutdown it would never receive again.
        return [(name, sock) for name, sock in self.named if sock.type == socket.SOCK_STREAM]

    def close(self) -> None:
        """Give the ports up."""
        for _, sock in self.named:
            sock.close()


def open_dns_sockets(listener: DNS) -> ListenerSockets:
    """Bind UDP and TCP for our own zone; port 0 becomes one free port for each address, the same for both.

    Raises:
        Misconfigured: A port cannot be bound; no socket is left open.
    """
    sockets = ListenerSockets()
    try:
        for address in _addresses(listener):
            tcp = _bind(address, listener.port)
            sockets.add(listener.name, tcp)
            sockets.add(listener.name, _bind(address, tcp.getsockname()[1], kind=socket.SOCK_DGRAM))
    except BaseException:
        sockets.close()
        raise
    return sockets


def open_sockets(listeners: Sequence[Listener | API], processes: int) -> list[ListenerSockets]:
    """Bind every listener once for each process; nothing listens yet.

    Port 0 becomes one free port for each address, the same for all processes.

    Raises:
        Misconfigured: A port cannot be bound; the text says which, why, and what to do. No socket is left open.
    """
    opened = [ListenerSockets() for _ in range(processes)]
    try:
        for listener in listeners:
            for address in _addresses(listener):
                port = listener.port
                for sockets in opened:
                    sock = _bind(address, port)
                    port = sock.getsockname()[1]
                    sockets.add(listener.name, sock)
    except BaseException:
        for sockets in opened:
            sockets.close()
        raise
    return opened


def adopt_socket(descriptor: int) -> socket.socket:
    """Return the socket that the supervisor passed."""
    return socket.socket(fileno=descriptor)


def _addresses(listener: Listener | API | DNS) -> tuple[str, ...]:
    if listener.address != "*":
        return (listener.address,)
    return EVERYWHERE if socket.has_ipv6 and _has_ipv6() else EVERYWHERE[:1]


def _has_ipv6() -> bool:
    # The interpreter may know IPv6 while the kernel was started without it.
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _bind(address: str, port: int, *, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise Misconfigured(_explain(error, address, port)) from error
    return sock


def _explain(error: OSError, address: str, port: int) -> str:
    place = f"{address} port {port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{place} is in use by another program (`ss -ltnp` shows which): stop it, or set another port"
        case errno.EACCES:
            return (
                f"{place} may not be opened by this user: start as root and set `user`, give the service "
                "CAP_NET_BIND_SERVICE, or use ports from 1024 up"
            )
        case errno.EADDRNOTAVAIL:
            return f"{place}: this machine does not have that address"
    return f"{place} cannot be opened: {error.strerror}"
