"""The small size of every campaign, and one broken build for each, which must turn it red.

``python -m tests.faults`` runs the same by hand, ``--full`` in the size for a release, ``--broken`` against every
broken build. The seed of a run is in its name and in what it prints.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults import block_device, strace
from tests.faults.campaigns import database_faults, power_cuts
from tests.faults.catalogue import CAMPAIGNS
from tests.faults.rig import Options, make_template
from tests.support.relay import Relay

SEED = 1
NEEDS = {
    "D2": strace.is_usable,
    "D3": power_cuts.is_usable,
    "D3disk": block_device.is_usable,
    "D4": lambda: strace.is_usable() and block_device.is_usable(),
    "D4calls": strace.is_usable,
    "D4disk": block_device.is_usable,
    "D5": database_faults.is_usable,
}
BROKEN = [
    ("D0", "keep_envelope"),
    ("D1", "answer_early"),
    ("D3", "eatmydata"),
    ("D6", "bounce_on_servfail"),
    ("D12", "end_without_draining"),
]
"""Those that take a few seconds; ``--broken`` has all."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Relay:
    return make_template(tmp_path_factory.mktemp("template") / "relay")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place with a short name, for the relay's control sockets."""
    with tempfile.TemporaryDirectory(prefix="gatepost-faults-") as name:
        yield Path(name)


def skip(reason: str) -> None:
    if os.environ.get("GATEPOST_NO_SKIPS"):
        pytest.fail(reason)
    pytest.skip(reason)


def run(name: str, options: Options) -> list[str]:
    if not NEEDS.get(name, lambda: True)():
        skip(f"{name} needs root, and programs that tools/install_test_programs installs")
    result = asyncio.run(CAMPAIGNS[name].run(options))
    print(name, f"seed={options.seed}", options.broken, result.figures)
    if CAMPAIGNS[name].is_right(result, options.broken):
        return []
    return result.violations or [f"{options.broken} was not found out"]


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_nothing_is_lost_doubled_altered_or_miscounted_under(name, template, folder):
    assert run(name, Options(folder=folder, seed=SEED, template=template)) == []


@pytest.mark.parametrize(("name", "broken"), BROKEN, ids=[f"{name}-{broken}" for name, broken in BROKEN])
def test_a_broken_build_is_found_out_by(name, broken, template, folder):
    if broken == "eatmydata" and not shutil.which("eatmydata"):
        skip("eatmydata is not installed")

    assert run(name, Options(folder=folder, seed=SEED, broken=broken, template=template)) == []
