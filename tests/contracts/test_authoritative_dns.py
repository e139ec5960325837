"""Our DNS server asked by programs that others wrote."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import dns.asyncquery
import dns.flags
import dns.message
import pytest

from gatepost.network.authoritative_dns import AuthoritativeServer, ZoneSet
from gatepost.network.response_rate_limit import PER_SECOND, WINDOW_SECONDS
from gatepost.network.zone import Zone

RECORDS = {
    ("example.test", "MX"): ["10 mx.example.test."],
    ("many.example.test", "TXT"): [f'"{n:03d}{"x" * 100}"' for n in range(40)],
}


@pytest.fixture
async def server() -> AsyncIterator[AuthoritativeServer]:
    zone = Zone("example.test", RECORDS, name_servers=["ns.example.test"])
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


async def test_a_flood_of_one_question_gets_fewer_and_shorter_answers(server: AuthoritativeServer) -> None:
    query = dns.message.make_query("example.test", "MX", id=1).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.setblocking(False)
        asker.connect(("127.0.0.1", server.port))
        answers = []
        for _ in range(2 * PER_SECOND * WINDOW_SECONDS):
            asker.send(query)
            await asyncio.sleep(0)
            with suppress(BlockingIOError):
                answers.append(asker.recv(4096))
        await asyncio.sleep(0.2)
        with suppress(BlockingIOError):
            while True:
                answers.append(asker.recv(4096))

    truncated = [answer for answer in answers if dns.message.from_wire(answer).flags & dns.flags.TC]
    assert len(answers) < 2 * PER_SECOND * WINDOW_SECONDS
    assert truncated
    assert max(map(len, truncated)) <= len(query)


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
