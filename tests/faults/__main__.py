"""``python -m tests.faults [--full] [--broken] [--seed N] [D1 D2 …]``: run fault campaigns and print what they found.

Without names, all of them. ``--broken`` runs each against its deliberately broken builds instead, where it must find
something. The exit status is 0 if everything came out as it must.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.catalogue import CAMPAIGNS
from tests.faults.result import Result
from tests.faults.rig import Options, make_template

SHOWN = 20


def main() -> int:
    """Run what was asked for."""
    arguments = _parse_arguments()
    failed = []
    with tempfile.TemporaryDirectory(prefix="gatepost-faults-", dir=arguments.folder) as name:
        template = make_template(Path(name) / "template")
        for number, (campaign, broken) in enumerate(_plan(arguments)):
            folder = Path(name) / str(number)
            folder.mkdir()
            options = Options(
                folder=folder, seed=arguments.seed, is_full=arguments.full, broken=broken, template=template
            )
            began = time.monotonic()
            result = asyncio.run(CAMPAIGNS[campaign].run(options))
            is_right = CAMPAIGNS[campaign].is_right(result, broken)
            _print(campaign, options, result, time.monotonic() - began, is_right=is_right)
            if not is_right:
                failed.append(f"{campaign} {broken}".strip())
    print("all as it must be" if not failed else f"not as it must be: {', '.join(failed)}")
    return 1 if failed else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("campaigns", nargs="*", help=f"of: {', '.join(CAMPAIGNS)} (default: all)")
    parser.add_argument("--full", action="store_true", help="the size for a release")
    parser.add_argument("--broken", action="store_true", help="against the broken builds, where each must be red")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", help="where the relays' state lies (default: the folder for temporary files)")
    arguments = parser.parse_args()
    if unknown := set(arguments.campaigns) - CAMPAIGNS.keys():
        parser.error(f"no such campaign: {', '.join(sorted(unknown))}; there are {', '.join(CAMPAIGNS)}")
    return arguments


def _plan(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    names = arguments.campaigns or list(CAMPAIGNS)
    if not arguments.broken:
        return [(name, "") for name in names]
    return [(name, broken) for name in names for broken in CAMPAIGNS[name].broken]


def _print(name: str, options: Options, result: Result, seconds: float, *, is_right: bool) -> None:
    what = f"{name} {CAMPAIGNS[name].title}" + (f" [broken: {options.broken}]" if options.broken else "")
    colour = "red" if result.violations else "green"
    figures = "  ".join(f"{key}={value}" for key, value in result.figures.items())
    wrong = "" if is_right else "  <-- NOT AS IT MUST BE"
    print(f"{what}: {colour}{wrong}  seed={options.seed}  {seconds:.0f} s  {figures}")
    for violation in result.violations[:SHOWN]:
        print(f"    {violation}")
    if len(result.violations) > SHOWN:
        print(f"    … and {len(result.violations) - SHOWN} more")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
