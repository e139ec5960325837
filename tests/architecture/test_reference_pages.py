"""The reference pages say what the code says, and every page can be reached."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools.rfc_index import Citation, find_citations

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(?:#([^)\s]*))?\)")
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.rglob("*.md"))]


def test_the_reference_pages_are_what_the_code_says_now():
    # In a process of its own: other tests have used the commands, and click remembers how they were called.
    checked = subprocess.run(
        [sys.executable, "-m", "tools.pages", "--check"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=60,
    )

    assert (checked.returncode, checked.stdout) == (0, "fresh\n"), checked.stdout + checked.stderr


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_pages_and_headings_that_are_there(path):
    broken = [target for target in _find_links(path) if not _is_there(*target)]

    assert broken == []


def test_every_page_is_in_the_index():
    index = DOCS / "README.md"
    linked = {file for file, _ in _find_links(index)}

    # The decisions have an index of their own.
    pages = {page for page in DOCS.rglob("*.md") if page != index and page.parent.name != "decisions"}
    assert pages - linked == set()


@pytest.mark.parametrize(
    ("text", "citations"),
    [
        pytest.param("RFC 5321 §4.1.4", [Citation(5321, "4.1.4")], id="section"),
        pytest.param("RFC 6152", [Citation(6152, "")], id="the whole of it"),
        pytest.param(
            "RFC 3207, RFC 4954 §4, §6.", [Citation(3207, ""), Citation(4954, "4"), Citation(4954, "6")], id="several"
        ),
        pytest.param("# see RFC 5321\n    # §3.3", [Citation(5321, "3.3")], id="over the end of a comment line"),
        pytest.param("section §4 of the manual", [], id="not an RFC"),
    ],
)
def test_citations_are_read_from_comments(text, citations):
    assert list(find_citations(text)) == citations


def _find_links(page: Path) -> list[tuple[Path, str]]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [match.groups() for match in LINK.finditer(text) if "://" not in match[1]]
    return [((page.parent / name).resolve(), heading or "") for name, heading in found]


def _is_there(file: Path, heading: str) -> bool:
    if not file.exists():
        return False
    lines = file.read_text(encoding="utf-8").splitlines() if heading else []
    anchors = {_anchor(line.lstrip("# ")) for line in lines if line.startswith("#")}
    return not heading or heading in anchors


def _anchor(title: str) -> str:
    """As the repository page makes it: lower case, spaces to hyphens, everything else dropped."""
    return re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")
