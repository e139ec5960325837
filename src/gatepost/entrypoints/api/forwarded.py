"""Forwarded addresses: who made a request that came through a proxy.

Believed from listed proxies only, and then required of them, like the PROXY preamble of SMTP: a client whose request
comes without one would have the proxy's address, and with it whatever an account's list gives the proxy.

Of the two headers in use only the one that is set is read. A proxy that writes ``X-Forwarded-For`` hands on a
``Forwarded`` that its client made up, and the other way round.

What stands farthest to the right was written by the proxy nearest to us. So addresses are read from the right, listed
proxies are passed over, and the first that is none is the client's; what stands left of it anybody may have written. An
address that cannot be read before it was reached makes the request refused: nobody knows then who it is from.
"""

import re
from collections.abc import Sequence
from enum import Enum
from ipaddress import ip_address
from typing import Final

from gatepost.tenancy.access.ip_allowlist import Address, NetworkSet, unmapped

MAX_ADDRESSES: Final = 50
"""More hops than any chain of proxies has."""


class ForwardedHeader(Enum):
    """The header that listed proxies write."""

    X_FORWARDED_FOR = "x-forwarded-for"
    #: RFC 7239.
    FORWARDED = "forwarded"


class ForwardedMalformed(ValueError):
    """A listed proxy did not say who its client is; the text says what is wrong."""


# RFC 7239 §4: pairs of a token and a token or quoted-string, between semicolons; elements between commas.
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = re.compile(rf'({_WORD})=(?:({_WORD})|"((?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)")', re.ASCII)
_SEPARATOR: Final = re.compile(r"[ \t]*([;,])[ \t]*", re.ASCII)
_WITH_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", re.ASCII)


class Proxies:
    """The proxies that are believed; ``find_client`` costs nothing where none is listed."""

    def __init__(self, trusted: NetworkSet, header: ForwardedHeader) -> None:
        self._trusted: Final = trusted
        self._header: Final = header

    @property
    def header(self) -> str:
        """The name of the header to give to ``find_client``."""
        return self._header.value

    def is_trusted(self, address: Address) -> bool:
        """Say whether that is a listed proxy."""
        return address in self._trusted

    def find_client(self, peer: Address, values: Sequence[str]) -> Address:
        """Return whose request it is.

        Args:
            peer: Where the connection comes from.
            values: Those of the header, in order; looked at only if the peer is listed.

        Raises:
            ForwardedMalformed: A listed proxy says nothing, or nothing that can be read.
        """
        if not self._trusted or peer not in self._trusted:
            return peer
        client: Address | None = None
        hops = _split(self._header, ",".join(values))
        if len(hops) > MAX_ADDRESSES:
            raise ForwardedMalformed("it names too many addresses")
        for hop in reversed(hops):
            client = _read_address(hop)
            if client not in self._trusted:
                return client
        if client is None:
            raise ForwardedMalformed("it is missing")
        return client


def _split(header: ForwardedHeader, value: str) -> list[str]:
    if header is ForwardedHeader.X_FORWARDED_FOR:
        return [hop.strip(" \t") for hop in value.split(",")] if value.strip(" \t,") else []
    return _split_forwarded(value)


def _split_forwarded(value: str) -> list[str]:
    """Return the ``for`` of each element; all of the header has to be well-formed, or a quote could hide an element."""
    hops: list[str] = []
    own: str | None = None
    place, text = 0, value.strip(" \t")
    while place < len(text):
        pair = _PAIR.match(text, place)
        if pair is None:
            raise ForwardedMalformed("it is not as RFC 7239 has it")
        if pair[1].lower() == "for":
            if own is not None:
                raise ForwardedMalformed("one element names two clients")
            own = pair[2] if pair[2] is not None else re.sub(r"\\(.)", r"\1", pair[3])
        place = pair.end()
        separator = _SEPARATOR.match(text, place)
        if place < len(text) and (separator is None or separator.end() == len(text)):
            raise ForwardedMalformed("it is not as RFC 7239 has it")
        if separator is None or separator[1] == ",":
            hops.append(own or "")
            own = None
        place = separator.end() if separator else place
    return hops


def _read_address(hop: str) -> Address:
    with_port = _WITH_PORT.fullmatch(hop)
    text = (with_port[1] or with_port[2]) if with_port else hop
    try:
        if "%" in text:
            raise ValueError(text)
        return unmapped(ip_address(text))
    except ValueError as error:
        raise ForwardedMalformed("it names something else than an address") from error
