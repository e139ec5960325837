"""Lists of networks: how one is read, and whether an address lies in one."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_WILDCARD: Final = re.compile(r"((?:[0-9]{1,3}\.){1,3})\*(?:\.\*){0,2}", re.ASCII)
_MAPPED_PREFIX: Final = 96
"""``::ffff:0:0/96``: IPv4 addresses written as IPv6 (RFC 4291 §2.5.5.2)."""


def permits(networks: Iterable[Network], peer: Address) -> bool:
    """Say whether the peer lies in one of the networks. The caller decides what an empty list means."""
    address = unmapped(peer)
    return any(address in network for network in networks)


def unmapped(peer: Address) -> Address:
    """Return the IPv4 address that ``::ffff:a.b.c.d`` stands for (RFC 4291 §2.5.5.2), else the address itself.

    A dual-stack listener reports IPv4 clients in that form; without this a list of IPv4 networks would refuse them,
    and every one of them would share one /64 in the throttle. No other form that holds an IPv4 address (6to4, NAT64)
    is one: whoever routes such a network chooses what is in it.
    """
    return (peer.ipv4_mapped or peer) if isinstance(peer, IPv6Address) else peer


def client_of(peer: Address) -> tuple[int, int]:
    """Return what is taken for one host: the IPv4 address, or the IPv6 /64. The first number is the version."""
    address = unmapped(peer)
    return (4, int(address)) if isinstance(address, IPv4Address) else (6, int(address) >> 64)


def network_of(peer: Address) -> tuple[int, int]:
    """Return what is taken for one customer of a provider: the IPv4 /24, or the IPv6 /64, that an address lies in.

    The least that one commonly has for himself. The first number is the version.
    """
    address = unmapped(peer)
    return (4, int(address) >> 8) if isinstance(address, IPv4Address) else (6, int(address) >> 64)


class NetworkSet:
    """Networks, made ready to be asked for each message: one look-up for each length of prefix there is."""

    __slots__ = ("_v4", "_v6")

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        v4: dict[int, set[int]] = {}
        v6: dict[int, set[int]] = {}
        for network in networks:
            of_its_version = v4 if network.version == 4 else v6
            shift = network.max_prefixlen - network.prefixlen
            of_its_version.setdefault(shift, set()).add(int(network.network_address) >> shift)
        self._v4: Final = tuple(v4.items())
        self._v6: Final = tuple(v6.items())

    def __bool__(self) -> bool:
        return bool(self._v4 or self._v6)

    def __contains__(self, peer: Address) -> bool:
        address = unmapped(peer)
        number = int(address)
        listed = self._v4 if address.version == 4 else self._v6
        return any(number >> shift in prefixes for shift, prefixes in listed)


def parse_network(text: str) -> Network:
    """Read an address, a CIDR block, or an IPv4 address whose last octets are ``*``.

    A mapped IPv4 address or block is read as IPv4, which is how clients are compared. Host bits must be zero:
    ``10.0.0.7/8`` is more likely a slip than a wish for 16 million addresses. ``*`` may stand for the last octets
    only, as nothing else is one network.

    Raises:
        ValueError: With what is wrong, for the person who wrote it.
    """
    text = text.strip()
    wildcard = _WILDCARD.fullmatch(text)
    if wildcard is not None and text.count(".") == 3:
        octets = wildcard[1].split(".")[:-1]
        text = ".".join(octets + ["0"] * (4 - len(octets))) + f"/{8 * len(octets)}"
    elif "*" in text:
        raise ValueError(f"{text!r}: an asterisk may stand for the last octets of an IPv4 address only: 192.168.*.*")
    if "%" in text:
        raise ValueError(f"{text!r} names an interface, which means something on one machine only")
    return _unmapped_network(ip_network(text))


def _unmapped_network(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_PREFIX:
        inner = network.network_address.ipv4_mapped
        if inner is not None:
            return IPv4Network((inner, network.prefixlen - _MAPPED_PREFIX))
    return network
