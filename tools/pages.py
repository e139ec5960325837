"""Write the pages of docs/reference that are made from the code: ``python -m tools.pages``; ``--check`` only looks.

Each page has a module with ``render``; ``tests/architecture`` compares what it returns with what is committed.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tools import (
    cli_reference,
    metrics_reference,
    openapi,
    rfc_index,
    scopes_reference,
    settings_reference,
    smtp_reference,
    state_diagrams,
)

REFERENCE: Final = Path(__file__).parents[1] / "docs" / "reference"

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": cli_reference.render,
    "metrics.md": metrics_reference.render,
    "openapi.json": openapi.render,
    "scopes.md": scopes_reference.render,
    "settings.md": settings_reference.render,
    "smtp.md": smtp_reference.render,
    "standards.md": rfc_index.render,
    "states.md": state_diagrams.render,
}


def is_stale(page: str) -> bool:
    """Say whether a committed page is not what the code says now."""
    path = REFERENCE / page
    return not path.exists() or path.read_text(encoding="utf-8") != PAGES[page]()


def main(arguments: list[str]) -> int:
    """Write what is stale, or with ``--check`` name it; 1 if there was any."""
    stale = [page for page in PAGES if is_stale(page)]
    if arguments == ["--check"]:
        print("stale, run `make docs`: " + ", ".join(stale) if stale else "fresh")
        return int(bool(stale))
    for page in stale:
        (REFERENCE / page).write_text(PAGES[page](), encoding="utf-8")
        print(f"wrote {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
