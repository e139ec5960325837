"""Programs of others: a test that needs one says so, and is skipped where it is missing."""

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def requires_program() -> Callable[[str], str]:
    """Return the path of a program; skip the test without it, or fail it where nothing may be skipped."""

    def find(name: str) -> str:
        path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None:
            if os.environ.get("GATEPOST_NO_SKIPS"):
                pytest.fail(f"missing: {name}")
            pytest.skip(f"missing: {name}")
        return path

    return find
