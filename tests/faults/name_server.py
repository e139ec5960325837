"""A resolver on loopback that fails to order, per domain."""

import asyncio
from collections import Counter
from collections.abc import Mapping

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP; what it does with a domain is the word it is listed with.

    Args:
        behaviour: By domain: "servfail", "refused", "silence", "garbage", "nxdomain", "null MX", "CNAME loop",
            "nowhere" (an MX without addresses), "lame" (an empty answer that claims nothing), "short MX".
    """

    def __init__(self, behaviour: Mapping[str, str]) -> None:
        self.behaviour = dict(behaviour)
        self.asked: Counter[str] = Counter()
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]

    def stop(self) -> None:
        """Listen no more."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query."""
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text().rstrip(".").lower()
        self.asked[name] += 1
        domain = ".".join(name.split(".")[-2:])
        answer = self._answer(query, name, self.behaviour.get(domain, "nxdomain"))
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    def _answer(self, query: dns.message.Message, name: str, word: str) -> bytes | None:
        if word == "silence":
            return None
        if word == "garbage":
            return query.to_wire()[:7] + b"\xff" * 9
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        codes = {"servfail": dns.rcode.SERVFAIL, "refused": dns.rcode.REFUSED, "nxdomain": dns.rcode.NXDOMAIN}
        response.set_rcode(codes.get(word, dns.rcode.NOERROR))
        is_mx = query.question[0].rdtype == dns.rdatatype.MX
        if word == "null MX" and is_mx:
            response.answer.append(dns.rrset.from_text(f"{name}.", 5, "IN", "MX", "0 ."))
        elif word == "CNAME loop":
            other = name[2:] if name.startswith("x.") else "x." + name
            response.answer.append(dns.rrset.from_text(f"{name}.", 5, "IN", "CNAME", f"{other}."))
        elif word == "nowhere" and is_mx:
            response.answer.append(dns.rrset.from_text(f"{name}.", 5, "IN", "MX", f"10 mx.{name}."))
        wire = response.to_wire()
        if word == "short MX":  # an MX record whose data is one octet long
            wire = wire[:6] + b"\x00\x01" + wire[8:] + b"\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x05\x00\x01\x00"
        return wire
