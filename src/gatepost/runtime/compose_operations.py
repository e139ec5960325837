"""The composition of the web worker: health and metrics."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from starlette.applications import Starlette

from gatepost.entrypoints.operations.health import Probe, health_routes
from gatepost.entrypoints.operations.metrics import metrics_route
from gatepost.runtime.control_client import ask_status, socket_path
from gatepost.runtime.leftover_shards import find_leftover_shards
from gatepost.runtime.settings import Settings

_PROBE_TIMEOUT: Final = timedelta(seconds=2)


def compose_operations_app(settings: Settings) -> Starlette:
    """Put together health and metrics."""

    async def probe_workers() -> Sequence[Probe]:
        leftover = await asyncio.to_thread(find_leftover_shards, settings)
        indexes = [*range(settings.mail_worker_count), *leftover]
        return await asyncio.gather(*[_probe(settings, index) for index in indexes])

    return Starlette(routes=[*health_routes(probe_workers), metrics_route(settings.metrics_dir)])


async def _probe(settings: Settings, index: int) -> Probe:
    path = socket_path(settings.run_dir, index)
    return Probe(index=index, status=await asyncio.to_thread(ask_status, path, timeout=_PROBE_TIMEOUT))
