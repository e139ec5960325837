"""Word to the service manager (systemd's sd_notify protocol): ready, reloading, stopping."""

import socket
from collections.abc import Mapping


def notify(state: str, environment: Mapping[str, str]) -> None:
    """Send ``READY=1`` or the like to the socket that NOTIFY_SOCKET names; without one, do nothing."""
    name = environment.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect("\0" + name[1:] if name[0] == "@" else name)
            sock.send(state.encode())
    except OSError:
        # Whether the service manager listens is its affair; the mail goes on.
        return
