"""What runs gave, and the arithmetic and tables made of it: no processes, no clocks."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run of one shape gave; rates in messages a second of wall time, times in seconds, memory in octets.

    Attributes:
        processor_seconds: Processor time of all the system's processes, a message delivered.
        peak_resident: Sum of resident memory; pages that processes share count once for each.
        peak_proportional: Shared pages divided among those that share them.
    """

    accept_rate: float
    end_to_end_rate: float
    accepted: int
    delivered: int
    signatures: int
    refused: int
    under_way_p50: float
    under_way_p99: float
    first_error: str
    processor_seconds: float = 0
    peak_resident: int = 0
    peak_proportional: int = 0

    @property
    def lost(self) -> int:
        """Accepted, and not seen at the sink when the run's patience ended."""
        return self.accepted - self.delivered


Results = dict[str, dict[str, list[Result]]]
"""Shape, then system, then one result a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One system at one shape: medians over the rounds, and how many times slower than the first system it was.

    Attributes:
        ratio: First system's rate over this one's, within the same round, median over the rounds; the range beside it.
        processor_ratio: This system's processor time a message over the first one's, in the same way. What else runs on
            the machine moves it far less than it moves a rate.
    """

    system: str
    rate: float
    ratio: float
    least_ratio: float
    greatest_ratio: float
    under_way_p50: float
    under_way_p99: float
    processor_seconds: float
    processor_ratio: float
    peak_resident: int
    peak_proportional: int
    lost: int
    refused: int
    signatures_a_message: float


def summarise(by_system: Mapping[str, Sequence[Result]]) -> list[Line]:
    """Make a table's lines, the first system being the one the others are compared with."""
    first = next(iter(by_system.values()))
    return [_summarise_one(name, runs, first) for name, runs in by_system.items() if runs]


def _summarise_one(name: str, runs: Sequence[Result], first: Sequence[Result]) -> Line:
    def median(field: Callable[[Result], float]) -> float:
        return statistics.median(field(run) for run in runs)

    rounds = list(zip(first, runs, strict=False))
    ratios = [_divide(mine.end_to_end_rate, other.end_to_end_rate) for mine, other in rounds]
    processor_ratios = [_divide(other.processor_seconds, mine.processor_seconds) for mine, other in rounds]
    return Line(
        system=name,
        rate=median(lambda run: run.end_to_end_rate),
        ratio=statistics.median(ratios),
        least_ratio=min(ratios),
        greatest_ratio=max(ratios),
        under_way_p50=median(lambda run: run.under_way_p50),
        under_way_p99=median(lambda run: run.under_way_p99),
        processor_seconds=median(lambda run: run.processor_seconds),
        processor_ratio=statistics.median(processor_ratios),
        peak_resident=max(run.peak_resident for run in runs),
        peak_proportional=max(run.peak_proportional for run in runs),
        lost=sum(run.lost for run in runs),
        refused=sum(run.refused for run in runs),
        signatures_a_message=sum(run.signatures for run in runs) / max(1, sum(run.delivered for run in runs)),
    )


def _divide(one: float, other: float) -> float:
    return one / other if other > 0 else math.inf


HEADINGS = (
    "system",
    "messages/s",
    "ratio (range)",
    "p50 / p99 s",
    "CPU ms",
    "RSS / PSS MB",
    "signed",
    "lost",
    "refused",
)


def render(lines: Sequence[Line]) -> str:
    """Write lines as a table of plain text."""
    rows = [HEADINGS, *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.system,
        f"{line.rate:.0f}",
        f"{line.ratio:.1f} ({line.least_ratio:.1f}-{line.greatest_ratio:.1f})",
        f"{line.under_way_p50:.3f} / {line.under_way_p99:.3f}",
        f"{line.processor_seconds * 1e3:.2f} ({line.processor_ratio:.1f})",
        f"{line.peak_resident / 2**20:.0f} / {line.peak_proportional / 2**20:.0f}",
        f"{line.signatures_a_message:.2f}",
        str(line.lost),
        str(line.refused),
    )


def as_json(results: Results) -> dict[str, dict[str, list[dict[str, float | int | str]]]]:
    """Return every figure of every run."""
    return {
        shape: {name: [asdict(run) for run in runs] for name, runs in by_system.items()}
        for shape, by_system in results.items()
    }


def find_slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line that fits points (x, y) best by least squares; 0 if they do not say."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*points, strict=True)).slope
