import asyncio
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from gatepost.entrypoints.operations import control_protocol as protocol
from gatepost.entrypoints.operations.control import ControlServer
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.errors import Misconfigured, Transient


@pytest.fixture
async def server(tmp_path, controls):
    server = ControlServer(tmp_path / "worker-0.sock", controls, deadline=timedelta(milliseconds=200))
    await server.start()
    yield server
    await server.close()


PREDICATE = Predicate(domain="a.example")
WHICH = protocol.Which(domain="a.example")


@pytest.mark.parametrize(
    ("request_", "asked", "answer"),
    [
        (protocol.Refresh(), ("refresh",), protocol.Done()),
        (protocol.Barrier(), ("barrier",), protocol.Done()),
        (protocol.Reload(), ("reload",), protocol.Done(notes=("listeners: needs a restart",))),
        (protocol.Stop(), ("stop",), protocol.Done()),
        (protocol.Hold(which=WHICH, reason="r"), ("hold", PREDICATE, "r"), protocol.Done(count=2)),
        (protocol.Release(which=WHICH), ("release", PREDICATE), protocol.Done(count=3)),
        (protocol.Remove(which=WHICH, reason="r"), ("remove", PREDICATE, "r"), protocol.Done(count=4)),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_request_reaches_its_use_case(server, journal, request_, asked, answer):
    assert await server.answer(protocol.encode_line(request_)) == answer
    assert journal.asked == [asked]


async def test_status_is_what_the_worker_says(server):
    answer = await server.answer(protocol.encode_line(protocol.AskStatus()))

    assert answer == protocol.WorkerStatus(index=0, pid=1, state="ready")


async def test_line_that_is_no_request_is_refused(server, journal):
    assert isinstance(await server.answer(b"nonsense\n"), protocol.Refused)
    assert journal.asked == []


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        pytest.param(Transient("disk full"), "disk full", id="expected"),
        pytest.param(RuntimeError("secret internals"), "its log says why", id="unexpected"),
    ],
)
async def test_use_case_that_fails_is_a_refusal_and_not_the_end(server, journal, trouble, said):
    journal.trouble = trouble

    answer = await server.answer(protocol.encode_line(protocol.Refresh()))

    assert isinstance(answer, protocol.Refused)
    assert said in answer.reason
    assert "internals" not in answer.reason


async def test_use_case_that_hangs_is_answered_in_time(server, journal, monkeypatch):
    journal.barrier = asyncio.Event().wait

    answer = await server.answer(protocol.encode_line(protocol.Barrier()))

    assert isinstance(answer, protocol.Refused)
    assert "not done within 0.2 s" in answer.reason


async def test_socket_is_for_its_owner_alone(server, tmp_path):
    mode = (tmp_path / "worker-0.sock").stat().st_mode

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_requests_of_one_connection_are_answered_in_order(server, journal, tmp_path):
    reader, writer = await asyncio.open_unix_connection(tmp_path / "worker-0.sock")
    for request in (protocol.Refresh(), protocol.Barrier(), protocol.Hold(which=WHICH, reason="r")):
        writer.write(protocol.encode_line(request))

    answers = [protocol.decode_answer(await asyncio.wait_for(reader.readline(), 5)) for _ in range(3)]

    assert answers == [protocol.Done(), protocol.Done(), protocol.Done(count=2)]
    assert [asked[0] for asked in journal.asked] == ["refresh", "barrier", "hold"]
    writer.close()
    await writer.wait_closed()


async def test_line_without_end_closes_the_connection(server, tmp_path):
    reader, writer = await asyncio.open_unix_connection(tmp_path / "worker-0.sock")

    writer.write(b"x" * (protocol.MAX_LINE_OCTETS + 1))

    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_old_socket_file_of_a_killed_worker_is_replaced(server, tmp_path, controls):
    again = ControlServer(tmp_path / "worker-0.sock", controls, deadline=timedelta(seconds=1))

    await again.start()

    await again.close()


async def test_closing_ends_open_connections_and_answers_nobody_any_more(server, tmp_path):
    reader, writer = await asyncio.open_unix_connection(tmp_path / "worker-0.sock")
    writer.write(protocol.encode_line(protocol.Refresh()))
    await asyncio.wait_for(reader.readline(), 5)

    await server.close()

    assert await asyncio.wait_for(reader.read(), 5) == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_unix_connection(tmp_path / "worker-0.sock")
    writer.close()


async def test_path_too_long_for_a_socket_is_told(controls):
    server = ControlServer(Path("/tmp") / ("x" * 110), controls, deadline=timedelta(seconds=1))

    with pytest.raises(Misconfigured, match="shorter state_dir"):
        await server.start()
    await server.close()
