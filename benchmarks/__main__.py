"""``python -m benchmarks``: the same work on Gatepost and on Postfix + Dovecot SASL + OpenDKIM, in turn, in one run.

Only the ratios mean anything: the machine, its load and its disk are the same for both within a run, and for nobody
else. Each round runs every system once, in alternating order; the medians over the rounds are compared.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.gatepost import Gatepost
from benchmarks.postfix import Postfix
from benchmarks.rig import Result, Shape, Sink, System, build_tools, run_shape, running_sink

SHAPES = {
    shape.name: shape
    for shape in (
        Shape(name="10k", messages=5000),
        Shape(name="starttls-1", messages=1500, per_connection=1, tls="starttls"),
        Shape(name="1k", messages=5000, octets=1024),
        Shape(name="100k", messages=1000, octets=102_400),
        Shape(name="10-recipients", messages=1500, recipients=10),
    )
}
WARM_UP = Shape(name="warm-up", messages=100)


def main() -> int:
    """Run, print the table, and optionally write the figures as JSON."""
    options = _parse_arguments()
    systems: list[System] = [Gatepost()]
    if not options.alone:
        missing = Postfix.missing_programs()
        if missing:
            print(f"not installed: {', '.join(missing)}; run as root on Debian: make test, or use --alone")
            return 2
        systems.append(Postfix())
    with tempfile.TemporaryDirectory(prefix="gatepost-benchmark-", dir=options.folder) as name:
        folder = Path(name)
        folder.chmod(0o755)
        build_tools(folder)
        with running_sink(folder) as sink:
            results = _run_all(systems, [SHAPES[shape] for shape in options.shapes], sink, folder, options)
    _print_table(results, [system.name for system in systems])
    if options.json:
        Path(options.json).write_text(json.dumps(_as_json(results), indent=1) + "\n")
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("shapes", nargs="*", default=["10k"], help=f"of: {', '.join(SHAPES)} (default: 10k)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the number of messages")
    parser.add_argument("--alone", action="store_true", help="Gatepost only")
    parser.add_argument("--folder", help="where the queues lie (default: the system's folder for temporary files)")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    unknown = set(options.shapes) - SHAPES.keys()
    if unknown:
        parser.error(f"no such shape: {', '.join(sorted(unknown))}; there are {', '.join(SHAPES)}")
    return options


Results = dict[str, dict[str, list[Result]]]


def _run_all(
    systems: list[System], shapes: list[Shape], sink: Sink, folder: Path, options: argparse.Namespace
) -> Results:
    results: Results = {shape.name: {system.name: [] for system in systems} for shape in shapes}
    for round_number in range(options.rounds):
        for system in systems if round_number % 2 == 0 else reversed(systems):
            place = folder / f"{round_number}-{systems.index(system)}"
            place.mkdir()
            try:
                system.start(place, sink.port)
                run_shape(system, WARM_UP, sink, folder)
                for shape in shapes:
                    result = run_shape(system, _scaled(shape, options.scale), sink, folder)
                    _print_run(round_number, system.name, shape.name, result)
                    results[shape.name][system.name].append(result)
            finally:
                system.stop()
    return results


def _scaled(shape: Shape, factor: float) -> Shape:
    return Shape(
        name=shape.name,
        messages=max(100, int(shape.messages * factor)),
        octets=shape.octets,
        connections=shape.connections,
        per_connection=shape.per_connection,
        recipients=shape.recipients,
        tls=shape.tls,
    )


def _print_run(round_number: int, system: str, shape: str, result: Result) -> None:
    print(
        f"round {round_number + 1}  {shape:14} {system:36} accepted {result.accept_rate:7.0f}/s   end to end "
        f"{result.end_to_end_rate:7.0f}/s   lost {result.accepted - result.delivered}   refused {result.refused}   "
        f"signed {result.signatures}   under way p50 {result.under_way_p50:.3f} s {result.first_error}",
        flush=True,
    )


def _print_table(results: Results, names: list[str]) -> None:
    print(f"\n{os.cpu_count()} cores; medians of {len(next(iter(results.values()))[names[0]])} rounds")
    for shape, by_system in results.items():
        medians = {name: statistics.median(r.end_to_end_rate for r in runs) for name, runs in by_system.items()}
        for name in names:
            print(f"{shape:14} {name:36} {medians[name]:8.0f} messages/s end to end")
        for other in names[1:]:
            print(f"{shape:14} ratio {medians[names[0]] / medians[other]:.1f} : 1 over {other}")


def _as_json(results: Results) -> dict[str, dict[str, list[dict[str, float | int | str]]]]:
    fields = Result.__slots__
    return {
        shape: {name: [{f: getattr(r, f) for f in fields} for r in runs] for name, runs in by_system.items()}
        for shape, by_system in results.items()
    }


if __name__ == "__main__":
    sys.exit(main())
