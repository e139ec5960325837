import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "gatepost"


def source_modules():
    """All modules of the program, as paths from src/gatepost."""
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


@pytest.fixture(scope="session")
def trees():
    """The syntax tree of every module, by its path from src/gatepost."""
    return {path: ast.parse((PACKAGE / path).read_text(encoding="utf-8")) for path in source_modules()}
