"""The state directory: made by ``gatepost init``, held by one running service."""

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.privileges import find_user
from gatepost.runtime.settings import Settings

_LONGEST_RUN_DIR: Final = 107 - len("/worker-999.sock")
"""Octets: a control socket's path has room for 107 (unix(7))."""


def make_directories(settings: Settings) -> None:
    """Make the state directory and those in it, mode 0700, for the service's user; what is there stays as it is.

    Raises:
        Misconfigured: No control socket could be made in it.
    """
    _require_short(settings.run_dir)
    for path in (settings.state_dir, settings.queue_dir, settings.run_dir):
        if path.is_dir():
            continue
        path.mkdir(mode=0o700, parents=path == settings.state_dir)
        give_to_user(path, settings.user)


def give_to_user(path: Path, user: str | None) -> None:
    """Make the service's user the owner of a file or directory, where root made it for them."""
    if user is not None and os.geteuid() == 0:
        owner = find_user(user)
        os.chown(path, owner.pw_uid, owner.pw_gid)


def hold_service_lock(settings: Settings) -> int:
    """Take the lock of the one service of this state directory, write the process id into it, and return it.

    The lock is held until the descriptor is closed or the process ends, however it ends. Its directory is made if it is
    not there: a state directory restored from a backup has none.

    Raises:
        Misconfigured: Another service runs, or there is no state directory that this user can use.
    """
    _require_short(settings.run_dir)
    path = _lock_path(settings)
    try:
        settings.run_dir.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Misconfigured(
            f"cannot open {path}: {error.strerror}; `gatepost init` makes the state directory, and it must belong to "
            "the user that the service runs as"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        other = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise Misconfigured(
            f"another service runs on {settings.state_dir} (process {other}): stop it, or set another state_dir"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def is_service_running(settings: Settings) -> bool:
    """Whether a service holds the lock of this state directory."""
    try:
        descriptor = os.open(_lock_path(settings), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def renew_metrics_directory(path: Path) -> None:
    """Empty the directory of the processes' counts: they begin at nothing with the service."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path)
    path.mkdir(mode=0o700)


def _require_short(run_dir: Path) -> None:
    length = len(os.fsencode(run_dir))
    if length > _LONGEST_RUN_DIR:
        raise Misconfigured(
            f"{run_dir} is too long for the control sockets, {length} octets of at most {_LONGEST_RUN_DIR}: choose a "
            "shorter state_dir"
        )


def _lock_path(settings: Settings) -> Path:
    return settings.run_dir / "gatepost.pid"
