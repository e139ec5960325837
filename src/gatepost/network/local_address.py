"""Whether an address is this machine's."""

import socket
from ipaddress import ip_address


def find_bind_trouble(address: str) -> str:
    """Return why no connection could leave from an address now; "" if one could."""
    family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address, 0))
    except OSError as error:
        return error.strerror or str(error)
    return ""
