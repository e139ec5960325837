"""Commands → mail workers, over their control sockets; and over the shards themselves where no worker runs.

Every shard counts: a command that leaves one out has not done what it says. A shard whose worker runs (the worker
holds the shard's lock) is reached through its socket; another is opened here, under the same lock.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

import msgspec

from gatepost.entrypoints.operations import control_protocol as protocol
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.errors import RelayError, Transient
from gatepost.telemetry.logger import get_logger

_SHARD_FILE: Final = re.compile(r"shard-(\d{1,4})\.|worker-(\d{1,4})\.sock$")
_AGAIN_AFTER: Final = 0.05

log = get_logger()


class ShardBusy(Transient):
    """Another process holds the shard's lock."""


class IdleShard(Protocol):
    """A shard opened by this process, because no worker runs on it."""

    def hold(self, predicate: Predicate, *, reason: str) -> int:
        """Hold matching recipients; durable on return."""
        ...

    def release(self, predicate: Predicate) -> int:
        """Queue matching held recipients again; durable on return."""
        ...

    def remove(self, predicate: Predicate, *, reason: str) -> int:
        """Drop matching recipients; durable on return."""
        ...


OpenShard = Callable[[int], AbstractContextManager[IdleShard]]
"""Opens the shard of an index under its lock. Raises ``ShardBusy`` if a worker holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """What became of a command at one shard.

    Attributes:
        is_running: Whether a worker did it; otherwise it was done on the shard itself.
        count: Recipients concerned.
        trouble: Why it is not known to have happened there; "" if it has.
    """

    index: int
    is_running: bool
    count: int = 0
    notes: tuple[str, ...] = ()
    trouble: str = ""


class Workers:
    """All mail workers and shards of one state directory."""

    def __init__(self, *, run_dir: Path, queue_dir: Path, open_shard: OpenShard) -> None:
        self._run_dir = run_dir
        self._queue_dir = queue_dir
        self._open_shard = open_shard

    def refresh_and_hold(self, predicate: Predicate, *, reason: str, timeout: timedelta) -> list[WorkerReport]:
        """Make a change of rights exact; call it once the change is committed to the control database.

        When no report has a trouble, no session of any worker accepts another message under the old right, and what
        matches is held. In this order, at each worker: it forgets the rights it had looked up; acceptances that had
        begun are committed or refused; everything that is then queued is held.
        """
        which = protocol.Which.from_predicate(predicate)
        return self._tell_all(
            (protocol.Refresh(), protocol.Barrier(), protocol.Hold(which=which, reason=reason)),
            lambda shard: shard.hold(predicate, reason=reason),
            timeout,
        )

    def refresh(self, *, timeout: timedelta) -> list[WorkerReport]:
        """Make a change of rights exact that holds nothing: a narrowed key, an edited IP list."""
        return self._tell_all((protocol.Refresh(), protocol.Barrier()), lambda _shard: 0, timeout)

    def hold(self, predicate: Predicate, *, reason: str, timeout: timedelta) -> list[WorkerReport]:
        """Hold matching recipients everywhere."""
        request = protocol.Hold(which=protocol.Which.from_predicate(predicate), reason=reason)
        return self._tell_all((request,), lambda shard: shard.hold(predicate, reason=reason), timeout)

    def release(self, predicate: Predicate, *, timeout: timedelta) -> list[WorkerReport]:
        """Queue matching held recipients again everywhere."""
        request = protocol.Release(which=protocol.Which.from_predicate(predicate))
        return self._tell_all((request,), lambda shard: shard.release(predicate), timeout)

    def remove(self, predicate: Predicate, *, reason: str, timeout: timedelta) -> list[WorkerReport]:
        """Drop matching recipients everywhere."""
        request = protocol.Remove(which=protocol.Which.from_predicate(predicate), reason=reason)
        return self._tell_all((request,), lambda shard: shard.remove(predicate, reason=reason), timeout)

    def reload(self, *, timeout: timedelta) -> list[WorkerReport]:
        """Have the running workers read settings and certificates again."""
        return self._tell_all((protocol.Reload(),), lambda _shard: 0, timeout)

    # ------------------------------------------------------------ one shard

    def _tell_all(
        self, requests: Sequence[protocol.Request], on_idle: Callable[[IdleShard], int], timeout: timedelta
    ) -> list[WorkerReport]:
        """Tell all at the same time, so that one that hangs keeps no other from being told."""
        deadline = time.monotonic() + timeout.total_seconds()
        with ThreadPoolExecutor(max_workers=32) as threads:
            return list(
                threads.map(
                    lambda index: self._tell(index, requests, on_idle, deadline),
                    find_shards(self._queue_dir, self._run_dir),
                )
            )

    def _tell(
        self, index: int, requests: Sequence[protocol.Request], on_idle: Callable[[IdleShard], int], deadline: float
    ) -> WorkerReport:
        """Do it through the worker, or on the shard; again until one of the two is there.

        A worker that starts or ends meanwhile has the lock without a socket for a moment; one that dies half-way has
        done nothing that may not be done twice.
        """
        while True:
            try:
                return self._tell_worker(index, requests, deadline)
            except TimeoutError:
                pass
            except RelayError as error:
                return WorkerReport(index=index, is_running=True, trouble=str(error))
            except OSError:
                with suppress(ShardBusy):
                    return self._act_on_shard(index, on_idle)
            if time.monotonic() >= deadline:
                return WorkerReport(index=index, is_running=True, trouble="its worker runs and does not answer")
            time.sleep(_AGAIN_AFTER)

    def _tell_worker(self, index: int, requests: Sequence[protocol.Request], deadline: float) -> WorkerReport:
        done = protocol.Done()
        with _connection(socket_path(self._run_dir, index), deadline) as ask:
            for request in requests:
                answer = ask(request)
                if not isinstance(answer, protocol.Done):
                    said = answer.reason if isinstance(answer, protocol.Refused) else "something else than asked"
                    raise Transient(f"its worker answered: {said}")
                done = answer
        # What counts is what the last of them did: refresh and barrier concern no recipient.
        return WorkerReport(index=index, is_running=True, count=done.count, notes=done.notes)

    def _act_on_shard(self, index: int, on_idle: Callable[[IdleShard], int]) -> WorkerReport:
        if not any(_entries(self._queue_dir, f"shard-{index}.*")):
            return WorkerReport(index=index, is_running=False)
        try:
            with self._open_shard(index) as shard:
                return WorkerReport(index=index, is_running=False, count=on_idle(shard))
        except ShardBusy:
            raise
        except RelayError as error:
            return WorkerReport(index=index, is_running=False, trouble=str(error))
        except Exception as error:
            # Whatever is wrong with one shard, the others are told, and the operator which one it is.
            log.exception("shard_not_reached", shard=index)
            return WorkerReport(
                index=index, is_running=False, trouble=f"its shard cannot be used: {type(error).__name__}: {error}"
            )


def ask_status(path: Path, *, timeout: timedelta) -> protocol.WorkerStatus | None:
    """Return how the worker behind a control socket is; None if it does not answer in time."""
    try:
        with _connection(path, time.monotonic() + timeout.total_seconds()) as ask:
            answer = ask(protocol.AskStatus())
    except (OSError, RelayError):
        return None
    return answer if isinstance(answer, protocol.WorkerStatus) else None


def socket_path(run_dir: Path, index: int) -> Path:
    """Return where the control socket of a mail worker is."""
    return run_dir / f"worker-{index}.sock"


def find_shards(*folders: Path) -> list[int]:
    """Return, in order, the indexes of all shards and of all workers' sockets in these directories."""
    names = [path.name for folder in folders for path in _entries(folder)]
    return sorted({int(match[1] or match[2]) for name in names if (match := _SHARD_FILE.match(name))})


def _entries(folder: Path, pattern: str = "*") -> list[Path]:
    return list(folder.glob(pattern)) if folder.is_dir() else []


@contextmanager
def _connection(path: Path, deadline: float) -> Iterator[Callable[[protocol.Request], protocol.Answer]]:
    """Give a function that asks one thing; it raises ``OSError`` or ``Transient`` where no answer comes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, sock.makefile("rb") as answers:

        def ask(request: protocol.Request) -> protocol.Answer:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            sock.sendall(protocol.encode_line(request))
            line = answers.readline(protocol.MAX_LINE_OCTETS)
            if not line.endswith(b"\n"):
                raise ConnectionResetError("the worker ended")
            try:
                return protocol.decode_answer(line)
            except msgspec.DecodeError as error:
                raise Transient("its worker speaks another version: restart the service") from error

        sock.settimeout(max(0.001, deadline - time.monotonic()))
        sock.connect(str(path))
        yield ask
