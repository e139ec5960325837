"""The composition root: the only place that chooses implementations.

Small functions, each of which puts together one thing from the settings. Nothing is decided here but which class
answers for which port.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from starlette.applications import Starlette

from gatepost.entrypoints.operations.health import Probe, health_routes
from gatepost.entrypoints.operations.metrics import metrics_route
from gatepost.network.certificates import CertificateFiles, make_self_signed
from gatepost.runtime import diagnosis
from gatepost.runtime.control_client import ask_status, find_shards, socket_path
from gatepost.runtime.finding import Finding
from gatepost.runtime.settings import Settings
from gatepost.runtime.state_dir import give_to_user, make_directories
from gatepost.storage.migrate import migrate
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.system.keyring import create_keyring

_PROBE_TIMEOUT: Final = timedelta(seconds=2)


def compose_operations_app(settings: Settings) -> Starlette:
    """Put together health and metrics."""

    async def probe_workers() -> Sequence[Probe]:
        indexes = sorted({*range(settings.mail_worker_count), *find_shards(settings.queue_dir)})
        return await asyncio.gather(*[_probe(settings, index) for index in indexes])

    return Starlette(routes=[*health_routes(probe_workers), metrics_route(settings.metrics_dir)])


def prepare_state(settings: Settings) -> None:
    """Make what the service needs on disk; what is there stays as it is. Raises ``Misconfigured``."""
    make_directories(settings)
    if not settings.keyring_path.exists():
        create_keyring(settings.keyring_path, SystemEntropy())
    migrate(settings.control_database_url.reveal())
    for path in (settings.keyring_path, *settings.state_dir.glob("control.db*")):
        give_to_user(path, settings.user)


def make_first_certificate(settings: Settings, files: CertificateFiles, *, valid_for: timedelta) -> None:
    """Make a self-signed certificate for the host name, readable by the service's user."""
    for path in (files.chain.parent, files.private_key.parent):
        path.mkdir(mode=0o700, exist_ok=True)
        give_to_user(path, settings.user)
    make_self_signed(files, settings.host_name, now=SystemClock().now(), valid_for=valid_for)
    for path in (files.chain, files.private_key):
        give_to_user(path, settings.user)


def diagnose(settings: Settings) -> list[Finding]:
    """Look at everything that ``gatepost check`` tells of."""
    clock = SystemClock()
    return [
        *diagnosis.check_state_dir(settings),
        *diagnosis.check_private_file(settings.keyring_path, settings.user),
        *diagnosis.check_certificates(settings, clock),
        *diagnosis.check_ports(settings),
        *diagnosis.check_limits(settings),
        *diagnosis.check_clock(settings, clock.now()),
    ]


async def _probe(settings: Settings, index: int) -> Probe:
    path = socket_path(settings.run_dir, index)
    return Probe(index=index, status=await asyncio.to_thread(ask_status, path, timeout=_PROBE_TIMEOUT))
