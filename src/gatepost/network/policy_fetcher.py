"""Fetches MTA-STS policies (RFC 8461 §3.3): one host, one path, no redirects, little and soon.

Anybody may point ``mta-sts`` of a domain at an address inside this network and ask for its posture. So only public
addresses are connected to, of those that the name was just resolved to; what is shown of an answer that is no policy is
its status, and nothing of its content.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import httptools

from gatepost.mailflow.delivery.destination_address import is_public
from gatepost.standards.dns.question import AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import Address
from gatepost.standards.transport_security.mta_sts import MAX_POLICY_OCTETS, POLICY_PATH
from gatepost.tenancy.senders.ports import Resolver
from gatepost.tenancy.senders.posture import PolicyFile

TIMEOUT_SECONDS: Final = 10.0
MAX_ADDRESSES: Final = 4
_MAX_HEADER_OCTETS: Final = 16 * 1024


class _NotFetched(Exception):
    """There is no policy to be had; the text says why."""


class HTTPSPolicyFetcher:
    """Implements PolicyFetcher."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        allow_private: bool = False,
        port: int = 443,
        make_tls_context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Fetch within a time.

        Args:
            resolver: Tells where the policy's host is.
            allow_private: Whether that may be an address inside this network.
            port: 443, but in tests.
            make_tls_context: Whose certificates are taken; those that the system trusts.
            timeout_seconds: For everything together.
        """
        self._resolver: Final = resolver
        self._allow_private: Final = allow_private
        self._port: Final = port
        self._make_tls_context: Final = make_tls_context
        self._timeout_seconds: Final = timeout_seconds

    async def fetch(self, domain: str) -> PolicyFile:
        """Fetch the policy of a domain; what goes wrong is told in the answer."""
        host = f"mta-sts.{domain}"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._get(host, await self._find_addresses(host))
        except TimeoutError:
            return PolicyFile(problem=f"{host} did not answer within {self._timeout_seconds:.0f} seconds")
        except _NotFetched as error:
            return PolicyFile(problem=str(error))

    async def _find_addresses(self, host: str) -> list[str]:
        questions = [Question(host, kind) for kind in (RecordType.A, RecordType.AAAA)]
        answers = [await self._resolver.resolve(question) for question in questions]
        found = [str(each.address) for answer in answers for each in answer.records if isinstance(each, Address)]
        allowed = [each for each in found if self._allow_private or is_public(each)]
        if allowed:
            return allowed[:MAX_ADDRESSES]
        if found:
            raise _NotFetched(f"{host} has only private addresses, which nobody outside can reach")
        if any(answer.status is AnswerStatus.FAILED for answer in answers):
            raise _NotFetched(f"the DNS did not answer for the address of {host}")
        raise _NotFetched(f"{host} has no address")

    async def _get(self, host: str, addresses: list[str]) -> PolicyFile:
        tls_context = await asyncio.to_thread(self._make_tls_context)
        problem = ""
        for address in addresses:
            try:
                reader, writer = await asyncio.open_connection(
                    address, self._port, ssl=tls_context, server_hostname=host, limit=MAX_POLICY_OCTETS
                )
            except ssl.SSLCertVerificationError as error:
                raise _NotFetched(f"the certificate of {host} is refused: {error.verify_message}") from error
            except (OSError, ssl.SSLError) as error:
                problem = problem or f"{host} cannot be connected to: {_reason(error)}"
                continue
            try:
                return await _ask(host, reader, writer)
            except (OSError, ssl.SSLError) as error:
                raise _NotFetched(f"{host} broke the connection off: {_reason(error)}") from error
            finally:
                writer.close()
                with suppress(OSError, ssl.SSLError):
                    await writer.wait_closed()
        raise _NotFetched(problem)


async def _ask(host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> PolicyFile:
    request = f"GET {POLICY_PATH} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: gatepost\r\nConnection: close\r\n\r\n"
    writer.write(request.encode("ascii"))
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    octets_read = 0
    while not answer.is_complete:
        received = await reader.read(16 * 1024)
        octets_read += len(received)
        if octets_read > MAX_POLICY_OCTETS + _MAX_HEADER_OCTETS:
            raise _NotFetched(f"{host} sends more than the {MAX_POLICY_OCTETS} octets that a policy may have")
        try:
            parser.feed_data(received)
        except httptools.HttpParserError as error:
            raise _NotFetched(f"{host} answers with what is no HTTP") from error
        if not received:
            # The end of the connection ends an answer that names no length.
            break
        if answer.is_begun:
            _require_ok(host, parser.get_status_code())
    if not answer.is_begun or not (answer.is_complete or answer.ends_with_connection):
        raise _NotFetched(f"{host} broke the connection off before its answer was whole")
    return PolicyFile(octets=bytes(answer.body), media_type=answer.media_type)


def _require_ok(host: str, status: int) -> None:
    if 300 <= status < 400:
        raise _NotFetched(f"{host} answers with a redirect ({status}), which senders must not follow")
    if status != 200:
        raise _NotFetched(f"{host} answers with status {status} instead of the policy")


class _Answer:
    """What the parser has found."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.media_type = ""
        self.is_begun = False
        self.is_complete = False
        self.ends_with_connection = True

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-type":
                self.media_type = value.partition(b";")[0].strip().decode("latin-1").lower()
            case b"content-length" | b"transfer-encoding":
                self.ends_with_connection = False

    def on_headers_complete(self) -> None:
        self.is_begun = True

    def on_body(self, octets: bytes) -> None:
        self.body += octets

    def on_message_complete(self) -> None:
        self.is_complete = True


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
