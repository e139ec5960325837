"""``python -m benchmarks``: the same work on Gatepost and on other relays, in turn, in one run.

Only the ratios mean anything: the machine, its load and its disk are the same for all within a run, and for nobody
else. Each round runs every system once, in alternating order; each round gives one ratio, and their median counts.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from benchmarks.gatepost import Gatepost
from benchmarks.haraka import Haraka
from benchmarks.idle import run_idle
from benchmarks.postfix import Postfix
from benchmarks.profiling import find_missing, run_profile
from benchmarks.results import Result, Results, as_json, render, summarise
from benchmarks.rig import Shape, Sink, System, build_tools, run_shape, running_sink
from benchmarks.soak import run_soak

SHAPES = {
    shape.name: shape
    for shape in (
        Shape(name="10k", messages=5000),
        Shape(name="starttls-1", messages=1500, per_connection=1, tls="starttls"),
        Shape(name="1k", messages=5000, octets=1024),
        Shape(name="100k", messages=1000, octets=102_400),
        Shape(name="10-recipients", messages=1500, recipients=10),
        Shape(name="mail-send", messages=5000, connections=16, tls="https"),
    )
}
WARM_UP = Shape(name="warm-up", messages=100)

SYSTEMS: dict[str, type[System]] = {
    "gatepost": Gatepost,
    "postfix": Postfix,
    "haraka": Haraka,
}
LEGEND = """; rates, times and CPU a message are medians of the rounds.
Ratio: the first system's rate over this one's in the same round, median and range. Memory: the most seen."""

AnySystem = TypeVar("AnySystem", bound=System)
USUAL = "gatepost,postfix,haraka"

UNABLE = {
    "chasquid": "1.11 (Debian 12) writes and renames a message's file but never syncs it, and does not sign",
    "opensmtpd": "6.8.0p2 (Debian 12) completes no TLS handshake as a server with OpenSSL 3",
}
"""Relays that cannot do the work, and why; docs/explanation/performance.md says how that was found."""


def main() -> int:
    """Run what was asked for and print its table."""
    options = _parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every system is stopped on the way out
    with tempfile.TemporaryDirectory(prefix="gatepost-benchmark-", dir=options.folder) as name:
        folder = Path(name)
        folder.chmod(0o755)
        build_tools(folder)
        with running_sink(folder) as sink:
            return _run(options, folder, sink)


def _run(options: argparse.Namespace, folder: Path, sink: Sink) -> int:
    shapes = [_scaled(SHAPES[shape], options.scale) for shape in options.shapes]
    if options.soak:
        with _running(Gatepost(), folder / "soak", sink) as gatepost:
            return run_soak(gatepost, shapes[0], sink, folder, minutes=options.soak)
    if options.idle:
        with _running(Gatepost(), folder / "idle", sink) as gatepost:
            return run_idle(gatepost, sink, folder, sessions=options.idle)
    if options.profile:
        with _running(Gatepost(), folder / "profile", sink) as gatepost:
            return run_profile(gatepost, shapes[0], sink, folder)
    results = _run_rounds(_find_systems(options), shapes, sink, folder, options)
    print(f"\n{os.cpu_count()} cores, {options.rounds} rounds{LEGEND}")
    for shape, by_system in results.items():
        print(f"\n{shape}\n{render(summarise(by_system))}")
    if options.json:
        Path(options.json).write_text(json.dumps(as_json(results), indent=1) + "\n")
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("shapes", nargs="*", default=["10k"], help=f"of: {', '.join(SHAPES)} (default: 10k)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the number of messages")
    parser.add_argument("--systems", default=USUAL, help=f"of: {','.join(SYSTEMS)} (default: {USUAL})")
    parser.add_argument("--alone", action="store_const", dest="systems", const="gatepost", help="Gatepost only")
    parser.add_argument("--half-load", action="store_true", help="time to the first attempt at half the measured rate")
    parser.add_argument("--seconds", type=float, default=20, help="how long each run at half load lasts (default: 20)")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="Gatepost alone at half load: does memory grow?")
    parser.add_argument("--idle", type=int, metavar="SESSIONS", help="Gatepost's memory with silent TLS sessions open")
    parser.add_argument("--profile", action="store_true", help="what each stage of a message costs Gatepost (py-spy)")
    parser.add_argument("--folder", help="where the queues lie (default: the system's folder for temporary files)")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    if "mail-send" in options.shapes and options.systems != "gatepost":
        parser.error("mail-send is for Gatepost alone: add --alone")
    if options.profile and (missing := find_missing()):
        parser.error(f"--profile needs {missing}")
    for given, known in ((options.shapes, SHAPES), (options.systems.split(","), SYSTEMS | UNABLE)):
        if unknown := set(given) - set(known):
            parser.error(f"not known: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options


def _find_systems(options: argparse.Namespace) -> list[System]:
    """The systems asked for that this machine can run; the others are named."""
    systems: list[System] = []
    for name in options.systems.split(","):
        if name in UNABLE:
            print(f"{name}: left out; {UNABLE[name]}", flush=True)
            continue
        system = SYSTEMS[name]
        if missing := system.find_missing():
            print(f"{system.name}: left out; it needs {', '.join(missing)}", flush=True)
        else:
            systems.append(system())
    return systems


@contextmanager
def _running(system: AnySystem, place: Path, sink: Sink) -> Iterator[AnySystem]:
    place.mkdir()
    try:
        system.start(place, sink.port)
        yield system
    finally:
        system.stop()


def _run_rounds(
    systems: list[System], shapes: list[Shape], sink: Sink, folder: Path, options: argparse.Namespace
) -> Results:
    results: Results = {shape.name: {system.name: [] for system in systems} for shape in shapes}
    measure = _measure_half if options.half_load else _measure_full
    for round_number in range(options.rounds):
        for system in systems if round_number % 2 == 0 else reversed(systems):
            with _running(system, folder / f"{round_number}-{systems.index(system)}", sink):
                run_shape(system, WARM_UP, sink, folder)
                for shape in shapes:
                    result = measure(system, shape, sink, folder, options.seconds)
                    _print_run(round_number, system.name, shape.name, result)
                    results[shape.name][system.name].append(result)
    return results


def _measure_full(system: System, shape: Shape, sink: Sink, folder: Path, _seconds: float) -> Result:
    return run_shape(system, shape, sink, folder)


def _measure_half(system: System, shape: Shape, sink: Sink, folder: Path, seconds: float) -> Result:
    """Half of the rate it has just shown, for some seconds."""
    rate = run_shape(system, shape, sink, folder).end_to_end_rate / 2
    return run_shape(system, replace(shape, messages=max(1, int(rate * seconds))), sink, folder, rate=rate)


def _scaled(shape: Shape, factor: float) -> Shape:
    return replace(shape, messages=max(100, int(shape.messages * factor)))


def _print_run(round_number: int, system: str, shape: str, result: Result) -> None:
    print(
        f"round {round_number + 1}  {shape:14} {system:36} accepted {result.accept_rate:7.0f}/s   end to end "
        f"{result.end_to_end_rate:7.0f}/s   lost {result.lost}   refused {result.refused}   "
        f"signed {result.signatures}   under way p50 {result.under_way_p50:.3f} s {result.first_error}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
