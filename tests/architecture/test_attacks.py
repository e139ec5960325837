"""The page of attacks names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "attacks-and-tests.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_every_test_that_is_named_exists():
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))

    missing = [
        f"{path}::{name}"
        for path, name in named
        if f"def {name}(" not in (ROOT / "tests" / path).read_text(encoding="utf-8")
    ]

    assert len(named) > 30
    assert missing == []
