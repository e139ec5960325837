"""A receiving host that does what a test tells it, and a nameserver likewise: real sockets on loopback."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

EHLO_ALL = b"250-sink.test\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
EHLO_TLS = b"250-sink.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n"

CLOSE = b"<close>"
"""A reply: close the connection instead."""
HANG = b"<hang>"
"""A reply: say nothing for ever."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs on both loops."""
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


Replies = dict[str, "bytes | list[bytes]"]


@dataclass
class Sink:
    """Takes mail and writes it down; ``replies`` by verb (GREETING, EHLO, STARTTLS, MAIL, RCPT, DATA, DOT, QUIT).

    A list of replies is used up one by one; its last stays.
    """

    replies: Replies = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    bytewise: bool = False
    #: Seconds between the octets of a reply, if octet by octet.
    pause: float = 0.0
    #: Cut the connection once this many octets of content have come.
    cut_after: int | None = None
    #: Read the content this slowly: octets at a time, with a pause.
    slowly: int | None = None
    #: Seconds between the final dot and its reply.
    dot_after: float = 0.0
    #: Nothing is said before it is set.
    gate: asyncio.Event | None = None
    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 0
    #: From which addresses connections came, in order.
    peers: list[str] = field(default_factory=list)
    secured: int = 0
    commands: list[bytes] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    handlers: list[asyncio.Task[None]] = field(default_factory=list)

    def reply(self, verb: str, default: bytes) -> bytes:
        scripted = self.replies.get(verb, default)
        if isinstance(scripted, list):
            return scripted.pop(0) if len(scripted) > 1 else scripted[0]
        return scripted

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.handlers.append(task)
        self.connections += 1
        self.peers.append(writer.get_extra_info("peername")[0])
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    async def _say(self, writer: asyncio.StreamWriter, octets: bytes) -> bool:
        if octets == HANG:
            await asyncio.sleep(3600)
        if octets.endswith(CLOSE):
            writer.write(octets.removesuffix(CLOSE))
            await writer.drain()
            return False
        pieces = [bytes([octet]) for octet in octets] if self.bytewise else [octets]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if self.bytewise:
                await asyncio.sleep(self.pause)
        return True

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.gate is not None:
            await self.gate.wait()
        going = await self._say(writer, self.reply("GREETING", b"220 sink.test\r\n"))
        while going:
            line = await reader.readline()
            if not line:
                return
            self.commands.append(line.rstrip())
            verb = line.split(b" ")[0].split(b":")[0].strip().decode().upper()
            if verb == "STARTTLS":
                going = await self._start_tls(writer)
            elif verb == "DATA":
                going = await self._data(reader, writer)
            elif verb == "QUIT":
                await self._say(writer, self.reply("QUIT", b"221 bye\r\n"))
                return
            else:
                going = await self._say(writer, self.reply(verb, EHLO_ALL if verb == "EHLO" else b"250 2.0.0 ok\r\n"))

    async def _start_tls(self, writer: asyncio.StreamWriter) -> bool:
        reply = self.reply("STARTTLS", b"220 go\r\n")
        going = await self._say(writer, reply)
        if going and reply.startswith(b"220") and self.tls is not None:
            await writer.start_tls(self.tls)
            self.secured += 1
        elif going and reply.startswith(b"220"):
            await asyncio.sleep(0.02)  # by then the client is in its handshake
            writer.write(b"this is no handshake\r\n" * 20)
            await writer.drain()
        return going

    async def _data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        reply = self.reply("DATA", b"354 go\r\n")
        going = await self._say(writer, reply)
        if not going or not reply.startswith(b"354"):
            return going
        content = b""
        while not content.endswith(b"\r\n.\r\n") and content != b".\r\n":
            piece = await reader.read(self.slowly or 65536)
            if not piece:
                return False
            content += piece
            if self.slowly:
                await asyncio.sleep(0.001)
            if self.cut_after is not None and len(content) >= self.cut_after:
                return False
        self.contents.append(content)
        await asyncio.sleep(self.dot_after)
        return await self._say(writer, self.reply("DOT", b"250 2.0.0 queued as 1\r\n"))


OpenSink = Callable[..., Awaitable[Sink]]


@pytest.fixture
async def open_sink() -> AsyncIterator[OpenSink]:
    """``await open_sink(replies, **fields)`` gives a listening Sink."""
    servers: list[asyncio.Server] = []
    sinks: list[Sink] = []

    async def open_one(replies: Replies | None = None, **fields: object) -> Sink:
        sink = Sink(replies=replies or {}, **fields)  # type: ignore[arg-type]
        server = await asyncio.start_server(sink.serve, sink.host, sink.port, limit=1 << 20)
        sink.port = server.sockets[0].getsockname()[1]
        servers.append(server)
        sinks.append(sink)
        return sink

    yield open_one
    for server in servers:
        server.close()
    for sink in sinks:
        for handler in sink.handlers:
            handler.cancel()
        await asyncio.gather(*sink.handlers, return_exceptions=True)


@dataclass(frozen=True)
class Certificates:
    """One authority, and a server certificate for "sink.test" and 127.0.0.1 issued by it."""

    authority: Path
    server: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink.test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("sink.test"), x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    authority = folder / "authority.pem"
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path = folder / "key.pem"
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key_path)
    return Certificates(authority, context)


Respond = Callable[[dns.message.Message], "bytes | None"]


class Nameserver(asyncio.DatagramProtocol):
    """Answers each query, over UDP and TCP, with what ``respond`` makes of it; None for silence."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.queries: list[str] = []
        self.tcp_queries = 0
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data)
        if answer is not None and len(answer) > 1232:
            cut = dns.message.make_response(dns.message.from_wire(data))
            cut.flags |= dns.flags.TC
            answer = cut.to_wire()
        if answer is not None:
            self.transport.sendto(answer, addr)

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tcp_queries += 1
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = self._answer(await reader.readexactly(size)) or b""
        # Over TCP the same answer is whole.
        whole = bytearray(answer)
        whole[2] &= ~0x02
        writer.write(len(whole).to_bytes(2, "big") + whole)
        await writer.drain()
        writer.close()

    def _answer(self, data: bytes) -> bytes | None:
        query = dns.message.from_wire(data)
        self.queries.append(f"{query.question[0].name.to_text(True)} {dns.rdatatype.to_text(query.question[0].rdtype)}")
        return self.respond(query)


Zone = dict[str, list[str]]
"""By "name TYPE": the data of its records, or a CNAME as "name CNAME"."""


def _respond_from(zone: Zone, *, rcode: int | None = None, ttl: int = 60, flags: int = 0) -> Respond:
    """Answer out of a zone like a recursive server: aliases are not followed, so that the resolver must."""

    def respond(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA | flags
        name = query.question[0].name
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        label = name.to_text(True)
        if rcode is not None:
            response.set_rcode(dns.rcode.Rcode(rcode))
        elif f"{label} {kind}" in zone:
            response.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *zone[f"{label} {kind}"]))
        elif f"{label} CNAME" in zone:
            response.answer.append(dns.rrset.from_text(name, ttl, "IN", "CNAME", *zone[f"{label} CNAME"]))
        else:
            soa = "ns.test. root.test. 1 60 60 60 60"
            response.authority.append(dns.rrset.from_text("test.", ttl, "IN", "SOA", soa))
            if not any(entry.startswith(f"{label} ") for entry in zone):
                response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire(max_size=65535)

    return respond


@pytest.fixture
def respond_from() -> Callable[..., Respond]:
    """``respond_from(zone, rcode=…, ttl=…, flags=…)`` for ``open_nameserver``."""
    return _respond_from


def _bind_pair() -> tuple[socket.socket, socket.socket]:
    """Bind one port for UDP and TCP; a free UDP port may be taken for TCP, so look again."""
    for _ in range(50):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            continue
        udp.setblocking(False)
        tcp.setblocking(False)
        return udp, tcp
    raise OSError("no port is free for both UDP and TCP")


OpenNameserver = Callable[[Respond], Awaitable[Nameserver]]


@pytest.fixture
async def open_nameserver() -> AsyncIterator[OpenNameserver]:
    """``await open_nameserver(respond)`` gives a listening Nameserver, on UDP and TCP."""
    closing: list[Callable[[], None]] = []

    async def open_one(respond: Respond) -> Nameserver:
        nameserver = Nameserver(respond)
        udp, tcp = _bind_pair()
        nameserver.port = udp.getsockname()[1]
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: nameserver, sock=udp)
        server = await asyncio.start_server(nameserver.serve_tcp, sock=tcp)
        closing.extend([transport.close, server.close])
        return nameserver

    yield open_one
    for close in closing:
        close()
    await asyncio.sleep(0)
