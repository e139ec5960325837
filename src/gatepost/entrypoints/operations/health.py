"""Health, for load balancers and orchestrators: is the process alive, is the service ready?

Answers hold no secret and no name of a customer; they are read without authentication.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gatepost.entrypoints.operations.control_protocol import WorkerStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one mail worker answered; ``status`` is None if it did not."""

    index: int
    status: WorkerStatus | None


def find_troubles(probe: Probe) -> list[str]:
    """Return why a worker is not ready; nothing if it is."""
    if probe.status is None:
        return ["does not answer on its control socket"]
    troubles = []
    if probe.status.state != "ready":
        troubles.append(f"is {probe.status.state}")
    if probe.status.is_suspect:
        troubles.append("its store failed to reach the disk and accepts nothing until the worker is restarted")
    return troubles


def health_routes(probe_workers: Callable[[], Awaitable[Sequence[Probe]]]) -> list[Route]:
    """Return ``GET /health/live`` and ``GET /health/ready``; the latter is 503 unless every worker is ready."""

    async def live(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        probes = await probe_workers()
        workers = [{"index": probe.index, "troubles": find_troubles(probe)} for probe in probes]
        is_ready = bool(workers) and not any(worker["troubles"] for worker in workers)
        return JSONResponse({"ready": is_ready, "workers": workers}, status_code=200 if is_ready else 503)

    return [Route("/health/live", live, methods=["GET"]), Route("/health/ready", ready, methods=["GET"])]
