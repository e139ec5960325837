"""Our DNS server asked by programs that others wrote."""

import asyncio
import shutil
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.message
import pytest

from gatepost.network.authoritative_dns import AuthoritativeServer, Zone, ZoneSet

RECORDS = {
    ("example.test", "MX"): ["10 mx.example.test."],
    ("many.example.test", "TXT"): [f'"{n:03d}{"x" * 100}"' for n in range(40)],
}


@pytest.fixture
async def server() -> AsyncIterator[AuthoritativeServer]:
    zone = Zone("example.test", RECORDS, host_name="ns.example.test")
    server = AuthoritativeServer(ZoneSet([zone]))
    await server.start("127.0.0.1", 0)
    yield server
    await server.stop()


async def test_a_question_over_udp_is_answered(server: AuthoritativeServer) -> None:
    query = dns.message.make_query("example.test", "MX")

    response = await dns.asyncquery.udp(query, "127.0.0.1", port=server.port, timeout=5)

    assert [str(record) for record in response.answer[0]] == ["10 mx.example.test."]


async def test_a_truncated_answer_is_whole_over_tcp(server: AuthoritativeServer) -> None:
    query = dns.message.make_query("many.example.test", "TXT")

    response, went_to_tcp = await dns.asyncquery.udp_with_fallback(query, "127.0.0.1", port=server.port, timeout=5)

    assert went_to_tcp
    assert len(response.answer[0]) == 40


async def test_garbage_does_not_stop_it(server: AuthoritativeServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"\x00\x05garba")
    assert await reader.read(10) == b""
    writer.close()

    await test_a_question_over_udp_is_answered(server)


@pytest.mark.debian
async def test_dig_reads_it(server: AuthoritativeServer) -> None:
    dig = shutil.which("dig")
    if dig is None:
        pytest.skip("dig is not installed (Debian package bind9-dnsutils)")
    process = await asyncio.create_subprocess_exec(
        dig, "@127.0.0.1", "-p", str(server.port), "+short", "example.test", "MX", stdout=asyncio.subprocess.PIPE
    )

    output, _ = await process.communicate()

    assert output == b"10 mx.example.test.\n"
