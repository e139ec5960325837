"""The log: one structured line an event, to standard error, redacted.

``log = get_logger()`` may stand at the top of any module; nothing is decided until ``configure`` has run, which each
process does once, first thing. Lines are JSON objects (for machines) or ``time level event key=value`` (for people).

Log at edges, once an event: ``log.info("submission_accepted", message_id=…)``; no address and no content above debug.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import msgspec

from gatepost.primitives.clock import Clock
from gatepost.telemetry.redaction import redact

if TYPE_CHECKING:
    # Imported with the first line that is written: a command of the operator's writes none, and would wait for it.
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger


class LogFormat(Enum):
    """How a line is written."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(Enum):
    """The least important kind of event that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def get_logger(**bound: object) -> "FilteringBoundLogger":
    """Return a logger whose every line carries ``bound``; ``bind`` adds more."""
    return cast("FilteringBoundLogger", _LateLogger(bound))


def configure(
    *,
    clock: Clock,
    level: LogLevel,
    log_format: LogFormat,
    write: Callable[[bytes], None] | None = None,
    **process: object,
) -> None:
    """Decide for this process how and what is logged; call once, before the first line.

    Args:
        clock: Dates the lines.
        level: Events below it cost nothing and write nothing.
        log_format: JSON or console.
        write: Takes one line with its line end; by default it goes to standard error.
        process: Fields of every line, such as ``process="mail-0"``.
    """
    import structlog

    render = _render_json if log_format is LogFormat.JSON else _render_console
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _dated(clock, process),
            structlog.processors.format_exc_info,
            redact,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
        logger_factory=lambda *_: _LineLogger(write or write_to_stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_FromStandardLibrary()], level=logging.WARNING, force=True)


def write_to_stderr(line: bytes) -> None:
    """Write one line in one call, so that lines of several processes do not mix.

    A log that cannot be written must not stop the mail: the line is then lost.
    """
    try:
        os.write(sys.stderr.fileno(), line)
    except (OSError, ValueError):
        return


class _LateLogger:
    """Becomes a logger of structlog's when it is first asked for anything."""

    __slots__ = ("_bound", "_logger")

    def __init__(self, bound: Mapping[str, object]) -> None:
        self._bound = bound
        self._logger: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._logger is None:
            import structlog

            self._logger = structlog.get_logger(**self._bound)
        return getattr(self._logger, name)


class _FromStandardLibrary(logging.Handler):
    """Carries what asyncio, uvicorn and others log to our log, with its redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        get_logger().log(
            record.levelno, "library_message", library=record.name, text=record.getMessage(), exc_info=record.exc_info
        )


class _LineLogger:
    """What structlog calls with the rendered line, whatever its level."""

    __slots__ = ("_write",)

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def msg(self, line: bytes) -> None:
        self._write(line)

    debug = info = warning = error = critical = msg


def _dated(clock: Clock, process: Mapping[str, object]) -> "Callable[[WrappedLogger, str, EventDict], EventDict]":
    def add(_logger: "WrappedLogger", _method: str, event: "EventDict") -> "EventDict":
        return {"at": _timestamp(clock.now()), **process, **event}

    return add


def _timestamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_ENCODE = msgspec.json.Encoder(enc_hook=str).encode


def _render_json(_logger: "WrappedLogger", _method: str, event: "EventDict") -> bytes:
    return _ENCODE(event) + b"\n"


def _render_console(_logger: "WrappedLogger", _method: str, event: "EventDict") -> bytes:
    exception = event.pop("exception", None)
    words = [str(event.pop("at")), f"{event.pop('level'):7}", str(event.pop("event"))]
    words += [f"{name}={_quoted(value)}" for name, value in event.items()]
    line = " ".join(words)
    if exception is not None:
        # Indented, so that no line of a traceback can pass for a line of the log.
        line += "\n    " + str(exception).replace("\n", "\n    ")
    return (line + "\n").encode("utf-8", "backslashreplace")


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else _ENCODE(value).decode()
    return f'"{text}"' if " " in text or not text else text
