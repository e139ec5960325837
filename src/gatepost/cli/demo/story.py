"""What the demo prints: chapters of steps, each ticked off with its time, in 100 columns (pure but for ``write``)."""

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gatepost.primitives.errors import RelayError

COLUMNS: Final = 100
_TITLE_COLUMNS: Final = 16
_TIME_COLUMNS: Final = 9
_INDENT: Final = "  "
_DETAIL_COLUMNS: Final = COLUMNS - len(_INDENT) - 2 - _TITLE_COLUMNS - _TIME_COLUMNS
_GREEN, _RED, _BOLD, _DIM = "32", "31", "1", "2"


class StoryEnded(Exception):
    """A step failed that the others rest on; it has been told already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What the terminal can show."""

    has_colour: bool
    has_unicode: bool

    @property
    def marks(self) -> tuple[str, str]:
        """Done, and failed."""
        return ("✓", "✗") if self.has_unicode else ("+", "X")

    def paint(self, text: str, code: str) -> str:
        """Colour a text, where there are colours."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_colour and text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened.

    Attributes:
        took: How long, or how long after the beginning of its chapter if ``is_offset``.
        hint: What to do, if it failed.
    """

    title: str
    detail: str
    is_done: bool = True
    took: timedelta | None = None
    is_offset: bool = False
    hint: str = ""


def format_step(step: Step, style: Style) -> list[str]:
    """Return the lines of a step. Peers' words may be in it: whatever is not printable is replaced."""
    mark, code = (style.marks[0], _GREEN) if step.is_done else (style.marks[1], _RED)
    wrapped = _wrap(step.detail, _DETAIL_COLUMNS) or [""]
    first = f"{wrapped[0]:<{_DETAIL_COLUMNS}}" if step.took is not None else wrapped[0]
    clock = style.paint(f"{_format_took(step):>{_TIME_COLUMNS}}", _DIM)
    head = f"{_INDENT}{style.paint(mark, code)} {style.paint(f'{step.title:<{_TITLE_COLUMNS}}', _BOLD)}"
    margin = " " * (len(_INDENT) + 2 + _TITLE_COLUMNS)
    lines = [f"{head}{first}{clock}".rstrip(), *[f"{margin}{line}" for line in wrapped[1:]]]
    if step.hint:
        lines += [f"{margin}{style.paint(line, _RED)}" for line in _wrap(f"→ {step.hint}", _DETAIL_COLUMNS)]
    return lines


class Story:
    """Tells the steps as they happen, and remembers whether one failed."""

    def __init__(self, write: Callable[[str], None], style: Style) -> None:
        self._write = write
        self._style = style
        self.style: Final = style
        self.has_failed = False

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._write("")
        self._write(self._style.paint(title, _BOLD))

    def say(self, text: str = "") -> None:
        """Print a line between the steps."""
        self._write(text)

    def note(self, text: str) -> None:
        """Print a remark under the steps."""
        for line in _wrap(text, COLUMNS - 4):
            self._write(f"{_INDENT}{_INDENT}{self._style.paint(line, _DIM)}")

    def tell(self, step: Step) -> None:
        """Print a step."""
        self.has_failed |= not step.is_done
        for line in format_step(step, self._style):
            self._write(line)

    @contextmanager
    def step(self, title: str, *, hint: str = "") -> Iterator[list[str]]:
        """Time a block and tell it as a step; what it appends to the list is the detail.

        Raises:
            StoryEnded: The block failed in a way that is no mistake of ours.
        """
        detail: list[str] = []
        began_at = time.monotonic()
        try:
            yield detail
        except (RelayError, OSError) as error:
            self.tell(Step(title=title, detail=str(error) or type(error).__name__, is_done=False, hint=hint))
            raise StoryEnded(title) from error
        took = timedelta(seconds=time.monotonic() - began_at)
        self.tell(Step(title=title, detail=" ".join(detail), took=took))


def _format_took(step: Step) -> str:
    if step.took is None:
        return ""
    milliseconds = step.took.total_seconds() * 1000
    text = f"{milliseconds:.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.0f} s"
    return f"+{text}" if step.is_offset else text


def _wrap(text: str, columns: int) -> list[str]:
    printable = "".join([letter if letter.isprintable() else "\ufffd" for letter in text])
    return textwrap.wrap(printable, columns, break_on_hyphens=False)
