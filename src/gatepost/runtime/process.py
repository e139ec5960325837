"""One worker process: its log, its event loop, its signals."""

import asyncio
import faulthandler
import gc
import os
import resource
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import uvloop

from gatepost.primitives.errors import RelayError
from gatepost.runtime.child_process import SupervisorLink
from gatepost.runtime.settings import Settings
from gatepost.system.clock import SystemClock
from gatepost.telemetry import logger

log = logger.get_logger()


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the signals of a process do: ``stop`` at SIGTERM and SIGINT, ``reload`` at SIGHUP."""

    stop: Callable[[], None]
    reload: Callable[[], Awaitable[tuple[str, ...]]]


def start_process(settings: Settings, name: str) -> SupervisorLink:
    """Set up this process's log, and end with the supervisor that started it; return the way to tell that one."""
    link = SupervisorLink(os.environ)
    link.end_with_supervisor()
    logger.configure(clock=SystemClock(), level=settings.log.level, log_format=settings.log.format, process=name)
    # Where the process is ended because it is stuck, or crashes, the log says where in the program that was.
    faulthandler.enable()
    raise_descriptor_limit()
    return link


def raise_descriptor_limit() -> None:
    """Allow as many open files as the system lets us: each session and each delivery is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a process's main coroutine to its end on uvloop."""
    tune_interpreter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def tune_interpreter() -> None:
    """Spend less on what the interpreter does beside the work; call it when all is imported.

    What has been imported lives as long as the process, so the cycle collector need not walk it, not even once: there
    is next to no garbage in it. And a message makes hundreds of objects and hardly a cycle, so the collector need not
    look as often as by default; but a connection is one, and those that lived long enough to be looked at twice would
    otherwise stay for hours.
    """
    gc.freeze()
    gc.set_threshold(20_000, 5, 5)


def handle_signals(handlers: Handlers) -> None:
    """Have signals of this process handled in its running event loop."""
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def begin_reload() -> None:
        task = loop.create_task(_reload(handlers.reload))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handlers.stop)
    loop.add_signal_handler(signal.SIGHUP, begin_reload)


async def _reload(reload: Callable[[], Awaitable[tuple[str, ...]]]) -> None:
    try:
        await reload()
    except RelayError as error:
        log.error("reload_refused", reason=str(error))  # noqa: TRY400 - the text says it all
    except Exception:
        log.exception("reload_failed")
