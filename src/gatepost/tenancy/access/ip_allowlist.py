"""From where a key may be used."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address


def permits(networks: Iterable[IPv4Network | IPv6Network], peer: Address) -> bool:
    """Say whether the peer lies in one of the networks. The caller decides what an empty list means."""
    address = unmapped(peer)
    return any(address in network for network in networks)


def unmapped(peer: Address) -> Address:
    """Return the IPv4 address that ``::ffff:a.b.c.d`` stands for (RFC 4291 §2.5.5.2), else the address itself.

    A dual-stack listener reports IPv4 clients in that form; without this a list of IPv4 networks would refuse them,
    and every one of them would share one /64 in the throttle.
    """
    return (peer.ipv4_mapped or peer) if isinstance(peer, IPv6Address) else peer


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Read an address or a CIDR block. Raises ``ValueError`` with what is wrong, for the person who wrote it.

    Host bits must be zero: ``10.0.0.7/8`` is more likely a slip than a wish for 16 million addresses. A mapped IPv4
    block must be written as IPv4, or it would never match.
    """
    network = ip_network(text.strip())
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        raise ValueError(f"{text} is an IPv4 block in IPv6 clothing: write it as IPv4")
    return network
