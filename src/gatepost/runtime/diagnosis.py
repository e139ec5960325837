"""What ``gatepost check`` finds on this machine: certificates, permissions, ports, limits, clock.

Each function looks at one thing and returns findings; none changes anything. They look from where the service will
stand: as its user if that can be known, with its settings, on its machine.
"""

import os
import pwd
import resource
import shutil
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from gatepost.network.certificates import read_certificate
from gatepost.network.local_address import find_bind_trouble
from gatepost.network.tls_contexts import ServerTLS
from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.assigned_sources import parse_source_addresses
from gatepost.runtime.finding import Finding, fail, ok, warn
from gatepost.runtime.listening_sockets import open_sockets
from gatepost.runtime.privileges import find_user
from gatepost.runtime.reload import certificate_chains
from gatepost.runtime.settings import API, Listener, Settings
from gatepost.runtime.state_dir import is_service_running
from gatepost.system.signing import BatchSigning

EXPIRES_SOON: Final = timedelta(days=14)
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_GIB: Final = 1 << 30

_SIGNING: Final = {
    BatchSigning.AVAILABLE: "RSA signatures are made eight at a time",
    BatchSigning.NOT_INSTALLED: "RSA signatures are made one at a time; gatepost-batch-signing is not installed",
    BatchSigning.NOT_APPLICABLE: "RSA signatures are made one at a time; this processor lacks AVX-512 IFMA, which "
    "gatepost-batch-signing needs",
}


def check_certificates(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Are there certificates that can be served, for our name, for a while?"""
    chains = certificate_chains(settings.tls)
    if not chains:
        yield fail("certificate", "none is set", "set [tls] certificate and private_key")
        return
    for files in chains:
        try:
            ServerTLS([files], ["check"], clock)
            facts = read_certificate(files.chain)
        except Misconfigured as error:
            yield fail("certificate", str(error), "put a valid pair there; SIGHUP makes the service read it")
            continue
        left = facts.valid_until - clock.now()
        if left < EXPIRES_SOON:
            yield warn("certificate", f"{files.chain} expires in {left.days} days", "renew it now; does renewal run?")
        if not facts.covers(settings.host_name):
            yield warn(
                "certificate",
                f"{files.chain} is for {', '.join(facts.names) or 'no name'}, not for {settings.host_name}",
                "get one for the name that clients connect to, or set host_name",
            )
        if facts.is_self_signed:
            yield warn(
                "certificate",
                f"{files.chain} is self-signed: clients that verify refuse it",
                "get one from a certificate authority",
            )
        yield ok("certificate", f"{files.chain} is valid until {facts.valid_until:%Y-%m-%d}")
        yield from check_private_file(files.private_key, settings.user)


def check_private_file(path: Path, user: str | None) -> Iterator[Finding]:
    """Can the service read a secret file, and nobody else?"""
    try:
        status = path.stat()
    except OSError as error:
        yield fail("permissions", f"{path}: {error.strerror}", "make it, or correct the setting that names it")
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o007:
        yield fail("permissions", f"{path} is open to everybody (mode {mode:04o})", f"chmod 0600 {path}")
    elif mode & 0o020:
        yield fail("permissions", f"a group can change {path} (mode {mode:04o})", f"chmod 0640 {path}")
    owner = _service_uid(user)
    if owner not in (0, status.st_uid) and not mode & 0o040:
        yield fail("permissions", f"{path} does not belong to the service's user", f"chown {_name(owner)} {path}")


def check_state_dir(settings: Settings) -> Iterator[Finding]:
    """Are the directories there, and the service's alone?"""
    expected = _service_uid(settings.user)
    troubled = False
    made_by_serve = [settings.run_dir] if settings.run_dir.exists() else []
    for path in (settings.state_dir, settings.queue_dir, *made_by_serve):
        try:
            status = path.stat()
        except OSError as error:
            troubled = True
            yield fail("state directory", f"{path}: {error.strerror}", "`gatepost init` makes it")
            continue
        if stat.S_IMODE(status.st_mode) & 0o077:
            troubled = True
            yield fail(
                "state directory",
                f"{path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o})",
                f"chmod 0700 {path}",
            )
        if expected not in (status.st_uid, 0):
            troubled = True
            yield fail(
                "state directory",
                f"{path} belongs to {_name(status.st_uid)}, not to {_name(expected)}, as which the service runs",
                f"chown -R {_name(expected)} {settings.state_dir}",
            )
    if not troubled:
        yield ok("state directory", f"{settings.state_dir} is the service's alone")


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Are the ports free, or held by our own running service?"""
    if is_service_running(settings):
        yield ok("ports", "the service runs and holds them")
        return
    operations = Listener(address=str(settings.operations.address), port=settings.operations.port)
    troubled = False
    for listener in (*settings.worker_listeners, operations):
        try:
            open_sockets([listener], 1)[0].close()
        except Misconfigured as error:
            troubled = True
            yield fail("ports", str(error), "see above")
        else:
            if listener.port and _somebody_answers(listener):
                troubled = True
                yield fail(
                    "ports", f"somebody answers on port {listener.port} already", "stop it (`ss -ltnp` shows which)"
                )
    if not troubled:
        yield ok("ports", "free: " + ", ".join([str(listener.port) for listener in settings.worker_listeners]))
    if not settings.operations.address.is_loopback:
        yield warn(
            "ports",
            f"health and metrics answer on {settings.operations.address} without authentication",
            "keep that address behind a firewall, or set [operations] address to 127.0.0.1",
        )


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Are there enough file descriptors, and is there room on the disk?"""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield judge_descriptors(hard, settings)
    try:
        free = shutil.disk_usage(settings.state_dir).free
        yield judge_room(free, str(settings.state_dir), reserve_octets=settings.reserve_octets)
    except OSError as error:
        yield fail("disk", f"{settings.state_dir}: {error.strerror}", "`gatepost init` makes the state directory")


def judge_descriptors(hard: int, settings: Settings) -> Finding:
    """Judge how many files one process may open."""
    wanted = (
        settings.share(settings.submission.max_sessions + settings.api.max_connections)
        + settings.delivery.max_connections
        + 256
    )
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return warn(
            "limits",
            f"{hard} open files are allowed, {wanted} may be needed",
            f"LimitNOFILE={wanted} for the service, or a smaller [submission] max_sessions",
        )
    return ok("limits", f"{hard if hard != resource.RLIM_INFINITY else 'any number of'} open files are allowed")


def judge_room(free_octets: int, place: str, *, reserve_octets: int) -> Finding:
    """Judge the room for a queue."""
    text = f"{free_octets / _GIB:.1f} GiB free at {place}"
    if free_octets < reserve_octets:
        return fail(
            "disk",
            f"{text}, less than the {reserve_octets >> 20} MiB kept for delivery: new mail is refused for now (452)",
            "make room, or lower [queue] reserve_octets",
        )
    if free_octets < _GIB // 10:
        return fail("disk", text, "make room: without it every message is refused for now (452)")
    if free_octets < 2 * _GIB:
        return warn("disk", text, "make room: a queue grows when a large receiver is down")
    return ok("disk", text)


def check_clock(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Is the clock plausible? Keys expire, signatures are dated and retries planned by it."""
    newest = max([_modified_at(path, now) for path in _state_files(settings.state_dir)], default=now)
    if newest > now + CLOCK_TOLERANCE:
        yield fail(
            "clock",
            f"it says {now:%Y-%m-%d %H:%M} UTC, but a file in the state directory is from {newest:%Y-%m-%d %H:%M}",
            "set the clock and keep it with NTP (chrony, systemd-timesyncd)",
        )
    else:
        yield ok("clock", f"it says {now:%Y-%m-%d %H:%M} UTC; nothing in the state directory is newer")


def check_source_addresses(settings: Settings) -> Iterator[Finding]:
    """Can connections leave from the addresses that subusers may have been assigned?"""
    try:
        local_addresses = parse_source_addresses(settings.delivery.source_addresses)
    except Misconfigured as error:
        yield fail("source addresses", str(error), "write two addresses of one family")
        return
    for assigned, address in local_addresses.items():
        if trouble := find_bind_trouble(address):
            yield fail(
                "source addresses",
                f"no connection can leave from {address}, for {assigned}: {trouble}; mail of its subusers waits",
                f"give {address} to this machine (`ip address add`), or correct [delivery.source_addresses]",
            )
        else:
            yield ok("source addresses", f"{assigned} leaves from {address}")


def judge_signing(found: BatchSigning) -> Finding:
    """Judge how DKIM signatures will be made; none of the answers is wrong."""
    return ok("signing", _SIGNING[found])


def _service_uid(user: str | None) -> int:
    """Return as whom the service runs: the user that is set, where root starts it; else whoever asks."""
    if user is None or os.geteuid() != 0:
        return os.geteuid()
    try:
        return find_user(user).pw_uid
    except Misconfigured:
        return os.geteuid()


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _somebody_answers(listener: Listener | API) -> bool:
    address = "127.0.0.1" if listener.address in ("*", "0.0.0.0") else listener.address
    try:
        with socket.create_connection((address, listener.port), timeout=1):
            return True
    except OSError:
        return False


def _state_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in folder.iterdir():
            yield path
            if path.is_dir():
                yield from path.iterdir()


def _modified_at(path: Path, otherwise: datetime) -> datetime:
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    except OSError:
        # It went away while we looked.
        return otherwise
