"""The exposition: what all processes counted, in Prometheus' text format."""

from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def expose(directory: Path) -> bytes:
    """Return the sum of what the processes wrote into the directory."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def metrics_route(directory: Path) -> Route:
    """Return ``GET /metrics``."""

    def answer(_request: Request) -> Response:
        return Response(expose(directory), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", answer, methods=["GET"])
