"""A caching resolver that asks recursive nameservers (RFC 1034 §5.3, RFC 2308); implements the Resolver port.

Threats considered: a forged answer (random ids and ports are dnspython's; a validating resolver on this machine is
the remedy), a huge or malformed one (FAILED), endless CNAMEs (bounded), names that fill memory (the cache is bounded),
and an AD bit from the network (believed only from loopback).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver

from gatepost.network.dns_records import read_records
from gatepost.primitives.errors import Misconfigured
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType

DNS_PORT = 53

_MAX_ALIASES = 8
_MAX_TTL_SECONDS = 86400.0
_MAX_NEGATIVE_TTL_SECONDS = 900.0
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Nameserver:
    """A recursive nameserver."""

    address: str
    port: int = DNS_PORT

    @property
    def is_local(self) -> bool:
        """On this machine, so that nobody can have changed its answer on the way."""
        return ip_address(self.address).is_loopback


def parse_nameserver(text: str) -> Nameserver:
    """Read ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``.

    Raises:
        ValueError: It is none of these.
    """
    address, port = text.strip(), DNS_PORT
    if address.startswith("[") and "]" in address:
        address, _, rest = address[1:].partition("]")
        port = _parse_port(rest.removeprefix(":")) if rest else DNS_PORT
    elif address.count(":") == 1:
        address, _, rest = address.partition(":")
        port = _parse_port(rest)
    try:
        return Nameserver(str(ip_address(address)), port)
    except ValueError:
        raise ValueError(
            f'"{text}" is no nameserver: write "192.0.2.1", "192.0.2.1:5353" or "[2001:db8::1]:53"'
        ) from None


def system_nameservers(path: str = "/etc/resolv.conf") -> tuple[Nameserver, ...]:
    """Read those the system is set up with.

    Raises:
        Misconfigured: There are none.
    """
    try:
        found = dns.resolver.Resolver(path).nameservers
    except dns.resolver.NoResolverConfiguration:
        found = []
    nameservers = tuple([Nameserver(server) for server in found if isinstance(server, str)])
    if not nameservers:
        raise Misconfigured(f"{path} names no nameserver: set delivery.nameservers")
    return nameservers


@dataclass(frozen=True, slots=True)
class _Cached:
    answer: Answer
    until: float


class CachingResolver:
    """Asks the nameservers in order; the next one where one does not answer, all of them twice."""

    def __init__(
        self,
        nameservers: Sequence[Nameserver],
        *,
        monotonic: Callable[[], float],
        try_timeout_seconds: float = 3.0,
        timeout_seconds: float = 10.0,
        max_cached: int = 20_000,
    ) -> None:
        """Wait ``try_timeout_seconds`` for each try and ``timeout_seconds`` in all for one question."""
        self._nameservers = tuple(nameservers)
        self._monotonic = monotonic
        self._try_timeout_seconds = try_timeout_seconds
        self._timeout_seconds = timeout_seconds
        self._max_cached = max_cached
        self._cache: OrderedDict[Question, _Cached] = OrderedDict()
        self._asking: dict[Question, asyncio.Future[Answer]] = {}

    async def resolve(self, question: Question) -> Answer:
        """Answer one question, from the cache if it is there; equal questions at one time are asked once."""
        while True:
            cached = self._cache.get(question)
            if cached is not None and self._monotonic() < cached.until:
                return cached.answer
            asking = self._asking.get(question)
            if asking is None:
                return await self._ask_for_all(question)
            # Whoever asks may be cancelled; then one of those who wait asks again.
            await asyncio.wait((asking,))
            if not asking.cancelled():
                return asking.result()

    async def _ask_for_all(self, question: Question) -> Answer:
        asking: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asking[question] = asking
        try:
            answer, ttl = await self._ask_within_timeout(question)
            if ttl > 0:
                self._remember(question, answer, ttl)
            asking.set_result(answer)
            return answer
        finally:
            del self._asking[question]
            asking.cancel()

    async def _ask_within_timeout(self, question: Question) -> tuple[Answer, float]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._follow(question)
        except TimeoutError:
            return _failed("timed out")

    async def _follow(self, question: Question) -> tuple[Answer, float]:
        """Ask, and ask on where an answer ends at an alias without the records behind it."""
        try:
            name = dns.name.from_text(question.name, idna_codec=None)  # A-labels already
        except dns.exception.DNSException:
            return Answer(status=AnswerStatus.NO_NAME), _MAX_NEGATIVE_TTL_SECONDS
        kind = dns.rdatatype.from_text(question.type.value)
        ttl, authenticated = _MAX_TTL_SECONDS, True
        for _ in range(_MAX_ALIASES):
            response, detail, is_trusted = await self._ask(name, kind)
            if response is None:
                return _failed(detail)
            authenticated = authenticated and is_trusted and bool(response.flags & dns.flags.AD)
            try:
                chain = response.resolve_chaining()
            except dns.exception.DNSException as error:
                return _failed(type(error).__name__)
            # Without a SOA record nobody says how long "no" holds (RFC 2308 §5).
            says_how_long = chain.answer is not None or bool(chain.cnames) or bool(response.authority)
            ttl = min(ttl, float(chain.minimum_ttl)) if says_how_long else 0.0
            if chain.answer is not None:
                return read_records(chain.answer, question.type, authenticated=authenticated), ttl
            if chain.canonical_name == name or question.type is RecordType.CNAME:
                return _negative(response), min(ttl, _MAX_NEGATIVE_TTL_SECONDS)
            if response.rcode() == dns.rcode.NXDOMAIN:
                return Answer(status=AnswerStatus.NO_NAME), min(ttl, _MAX_NEGATIVE_TTL_SECONDS)
            name = chain.canonical_name
        return _failed("too many aliases")

    async def _ask(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> tuple[dns.message.QueryMessage | None, str, bool]:
        """Return the first answer that is one, or the last reason why there is none."""
        detail = "no nameserver"
        for nameserver in self._nameservers * _ROUNDS:
            query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
            query.flags |= dns.flags.AD
            try:
                response, _ = await dns.asyncquery.udp_with_fallback(
                    query, nameserver.address, self._try_timeout_seconds, nameserver.port, ignore_unexpected=True
                )
            except dns.exception.Timeout:
                detail = "timed out"
            except (dns.exception.DNSException, OSError, EOFError) as error:
                detail = type(error).__name__
            else:
                if response.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
                    if isinstance(response, dns.message.QueryMessage):
                        return response, "", nameserver.is_local
                    detail = "not an answer"
                else:
                    detail = dns.rcode.to_text(response.rcode())
        return None, detail, False

    def _remember(self, question: Question, answer: Answer, ttl: float) -> None:
        self._cache[question] = _Cached(answer, self._monotonic() + ttl)
        self._cache.move_to_end(question)
        if len(self._cache) > self._max_cached:
            self._cache.popitem(last=False)


def _failed(detail: str) -> tuple[Answer, float]:
    """A failure is not remembered: the next question may be luckier."""
    return Answer(status=AnswerStatus.FAILED, detail=detail), 0.0


def _negative(response: dns.message.QueryMessage) -> Answer:
    missing = response.rcode() == dns.rcode.NXDOMAIN
    return Answer(status=AnswerStatus.NO_NAME if missing else AnswerStatus.NO_DATA)


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(f'"{text}" is no port')
    return int(text)
