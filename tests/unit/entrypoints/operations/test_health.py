import asyncio
import json

import pytest
from starlette.applications import Starlette

from gatepost.entrypoints.operations.control_protocol import WorkerStatus
from gatepost.entrypoints.operations.health import Probe, find_troubles, health_routes

READY = WorkerStatus(index=0, pid=1, state="ready")


def get(path, probes, method="GET"):
    async def probe_workers():
        return probes

    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    app = Starlette(routes=health_routes(probe_workers))
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "root_path": "", "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(None, "does not answer", id="down"),
        pytest.param(WorkerStatus(index=0, pid=1, state="draining"), "is draining", id="draining"),
        pytest.param(WorkerStatus(index=0, pid=1, state="ready", is_suspect=True), "reach the disk", id="suspect"),
    ],
)
def test_worker_in_trouble_makes_the_service_not_ready(status, said):
    code, body = get("/health/ready", [Probe(index=0, status=READY), Probe(index=1, status=status)])

    answer = json.loads(body)
    assert code == 503
    assert answer["ready"] is False
    assert answer["workers"][0] == {"index": 0, "troubles": []}
    assert said in answer["workers"][1]["troubles"][0]


def test_service_is_ready_when_every_worker_is():
    code, body = get("/health/ready", [Probe(index=0, status=READY)])

    assert (code, json.loads(body)["ready"]) == (200, True)


def test_service_without_workers_is_not_ready():
    assert get("/health/ready", [])[0] == 503


def test_live_asks_no_worker():
    assert get("/health/live", None) == (200, b"alive\n")


def test_nothing_can_be_posted():
    assert get("/health/ready", [], method="POST")[0] == 405


def test_all_troubles_are_told():
    status = WorkerStatus(index=0, pid=1, state="draining", is_suspect=True)

    assert len(find_troubles(Probe(index=0, status=status))) == 2
