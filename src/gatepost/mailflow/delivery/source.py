"""From which of our addresses a connection leaves: one that is assigned to the account, where there is any. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from zlib import crc32

from gatepost.mailflow.delivery.route import NextHop


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Local addresses that an account's mail may leave from.

    Attributes:
        addresses: Nothing means the service's own: any account's may.
        trouble: Why none of those assigned can be used now; "" if one can. The mail waits, and leaves from no other.
    """

    addresses: tuple[str, ...] = ()
    trouble: str = ""


ANY_SOURCE = Sources()


def leave_from(sources: Sources, hops: Iterable[NextHop], domain: str) -> tuple[NextHop, ...]:
    """Return the hops that can be reached from these addresses, each with the one to use.

    Mail to one domain leaves from one address, as long as the same ones are assigned: its connections can be kept,
    and the receiver sees a steady sender.
    """
    if not sources.addresses:
        return tuple(hops)
    chosen = []
    for hop in hops:
        version = ip_address(hop.address).version
        fitting = sorted([each for each in sources.addresses if ip_address(each).version == version])
        if fitting:
            chosen.append(replace(hop, source=fitting[crc32(domain.encode()) % len(fitting)]))
    return tuple(chosen)
