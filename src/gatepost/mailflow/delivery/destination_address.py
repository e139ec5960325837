"""Which addresses found in the DNS we connect to.

Anybody may point an MX at 127.0.0.1 or 10.0.0.1 and have us knock at services that trust our machine's network. What
the DNS says is therefore followed only to public unicast addresses that are not our own.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Tell whether this is a public unicast address; an IPv6 address that carries an IPv4 one must carry such."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    carried = _carried_ipv4(address)
    if carried is not None:
        return is_public(str(carried))
    return address.is_global and not address.is_multicast and not address.is_reserved and "%" not in text


def _carried_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """IPv4-mapped, 6to4, Teredo and NAT64 addresses end at an IPv4 host (RFC 4291, 3056, 4380, 6052)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour
