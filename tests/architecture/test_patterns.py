"""Regular expressions mean the same on every Python we run on."""

import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "gatepost"

POSSESSIVE_GROUP = re.compile(r"\)[*+?]\+|\(\?>")


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Before 3.11.5 Python gets possessive groups and atomic groups wrong (cpython #106052); Debian 12 has 3.11.2."""
    found = [
        f"{path.relative_to(SOURCE)}:{number}"
        for path in SOURCE.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if POSSESSIVE_GROUP.search(line)
    ]

    assert found == []
