"""``gatepost serve``: what happens before and around the supervisor.

Order: bind the ports, as root if need be; give root up for good; find out, while a person may still be watching,
whether workers can start and serve the certificates as who we are then; take the lock of the state directory; start
the workers.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from prometheus_client.multiprocess import mark_process_dead

from gatepost.network.tls_contexts import ServerTLS
from gatepost.primitives.errors import Misconfigured
from gatepost.runtime import service_manager
from gatepost.runtime.child import Program
from gatepost.runtime.leftover_shards import find_leftover_shards
from gatepost.runtime.listening_sockets import ListenerSockets, open_dns_sockets, open_sockets
from gatepost.runtime.privileges import drop_privileges, require_readable
from gatepost.runtime.reload import certificate_chains
from gatepost.runtime.settings import Listener, Settings
from gatepost.runtime.state_dir import hold_service_lock, renew_metrics_directory
from gatepost.runtime.supervisor import Supervisor
from gatepost.system.clock import SystemClock
from gatepost.telemetry import logger
from gatepost.telemetry.metrics import MULTIPROCESS_DIRECTORY_VARIABLE

STOP_WITHIN: Final = timedelta(seconds=30)


def run_service(settings: Settings, config_path: Path, environment: Mapping[str, str]) -> int:
    """Run the service until it is told to stop; return its exit status.

    Raises:
        Misconfigured: It cannot start; the text says why.
    """
    logger.configure(clock=SystemClock(), level=settings.log.level, log_format=settings.log.format, process="main")
    count = settings.mail_worker_count
    sockets = open_sockets(settings.worker_listeners, count)
    operations = Listener(address=str(settings.operations.address), port=settings.operations.port)
    web_sockets = open_sockets([operations], 1)[0]
    dns_sockets = open_dns_sockets(settings.dns) if settings.dns.is_served else None
    drop_privileges(settings.user)
    require_readable(Path(sys.executable), config_path)
    check_certificates(settings)
    lock = hold_service_lock(settings)
    renew_metrics_directory(settings.metrics_dir)
    leftover = find_leftover_shards(settings)
    # Mail may wait a moment for its worker; whoever asks how the service is wants to hear that it is not there yet.
    for own in sockets:
        own.listen()
    try:
        return Supervisor(
            plan_programs(config_path, sockets, web_sockets, leftover, dns_sockets=dns_sockets),
            environment={**environment, MULTIPROCESS_DIRECTORY_VARIABLE: str(settings.metrics_dir)},
            stop_within=STOP_WITHIN,
            on_state=lambda state: service_manager.notify(state, environment),
            on_exit=lambda pid: mark_process_dead(pid, str(settings.metrics_dir)),  # type: ignore[no-untyped-call]
        ).run()
    finally:
        os.close(lock)


def check_certificates(settings: Settings) -> None:
    """Find out, as the user that the workers run as, whether they will be able to serve TLS.

    Raises:
        Misconfigured: They will not.
    """
    chains = certificate_chains(settings.tls)
    if not chains:
        raise Misconfigured(
            "there is no certificate, and no mail is taken without TLS: set [tls] certificate and private_key "
            "(`gatepost init --self-signed` makes a pair for a start)"
        )
    ServerTLS(chains, [listener.name for listener in settings.worker_listeners], SystemClock())


def plan_programs(
    config_path: Path,
    sockets: Sequence[ListenerSockets],
    web_sockets: ListenerSockets,
    leftover: Sequence[int],
    *,
    dns_sockets: ListenerSockets | None = None,
) -> list[Program]:
    """Return what to run: mail workers, one for each set of sockets and each shard left over, then what is beside.

    A shard is left over when there were more workers before: its worker has no listener and only delivers. Beside
    them are the web worker, the one for jobs and, if there are sockets for it, the one for DNS.
    """
    beside = {"web": web_sockets, "jobs": ListenerSockets()} | ({"dns": dns_sockets} if dns_sockets else {})
    mail = [_program("mail", config_path, index, own) for index, own in enumerate(sockets)]
    emptying = [_program("mail", config_path, index, ListenerSockets(), is_essential=False) for index in leftover]
    others = [_program(role, config_path, 0, own, is_essential=False) for role, own in beside.items()]
    return [*mail, *emptying, *others]


def _program(
    role: str, config_path: Path, index: int, sockets: ListenerSockets, *, is_essential: bool = True
) -> Program:
    listen = [f"--listen={name}:{sock.fileno()}" for name, sock in sockets.named]
    return Program(
        name=f"{role}-{index}",
        command=(
            sys.executable, "-m", "gatepost", "worker", role, f"--config={config_path}", f"--index={index}", *listen,
        ),
        sockets=sockets,
        is_essential=is_essential,
    )  # fmt: skip
