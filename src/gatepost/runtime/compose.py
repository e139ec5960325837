"""The composition of what prepares and examines an installation, before any process runs."""

import asyncio
from datetime import timedelta

from gatepost.network.certificates import CertificateFiles, make_self_signed
from gatepost.runtime import diagnosis
from gatepost.runtime.compose_resolvers import compose_resolver
from gatepost.runtime.finding import Finding
from gatepost.runtime.remote_diagnosis import check_database, check_dns
from gatepost.runtime.settings import Settings
from gatepost.runtime.state_dir import give_to_user, make_directories
from gatepost.storage.database import Database
from gatepost.storage.migrate import migrate
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.system.keyring import create_keyring
from gatepost.system.signing import find_batch_signing


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
        check_database(settings.control_database_url.reveal().partition("://")[0], lambda: _open_database(settings)),
        *diagnosis.check_certificates(settings, clock),
        *diagnosis.check_ports(settings),
        *diagnosis.check_limits(settings),
        *diagnosis.check_clock(settings, clock.now()),
        *diagnosis.check_source_addresses(settings),
        diagnosis.judge_signing(find_batch_signing()[0]),
        *asyncio.run(check_dns(settings, compose_resolver(settings))),
    ]


def _open_database(settings: Settings) -> None:
    Database(settings.control_database_url.reveal()).close()
