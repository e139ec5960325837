"""What must not be in the repository, and what every package must have."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A path of somebody's machine, or the address of a package registry or of a file on one. Written in pieces, so that
# this file does not find itself.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"(?<![\w.])/home" + r"/\w",
            r"(?<![\w.])/root" + r"/\w",
            r"(?<![\w.])/work" + r"/[a-z.]",
            r"(?<![\w.])/opt" + r"/gp\w",
            r"(?<![\w.])/tmp" + r"/(?:wt|gp)/",
            r"pypi\." + r"org",
            r"python" + r"hosted\.org",
            r"registry\." + r"npmjs",
            r"https?://[^\s\"']*\.(?:whl|tgz)\b",
        ]
    )
)


def files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, timeout=60,
    ).stdout.decode()  # fmt: skip
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_path_of_a_machine_and_no_registry_address_is_in_the_tree():
    found = []
    for path in files():
        text = path.read_bytes().decode("utf-8", "replace")
        found += [(str(path.relative_to(ROOT)), match[0]) for match in FORBIDDEN.finditer(text)]

    assert found == []


@pytest.mark.parametrize(
    "text", ["/home" + "/me/x", "see https://files.python" + "hosted.org/a", "http://x/a" + ".whl"]
)
def test_the_check_sees_what_it_looks_for(text):
    assert FORBIDDEN.search(text)


def test_every_package_says_what_it_is_for(trees):
    packages = {path: tree for path, tree in trees.items() if path.name == "__init__.py"}

    assert len(packages) > 10
    assert [str(path) for path, tree in packages.items() if not ast.get_docstring(tree)] == []


def test_every_module_says_what_it_is_for(trees):
    assert [str(path) for path, tree in trees.items() if not ast.get_docstring(tree)] == []


def test_no_file_name_says_nothing():
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}

    assert [str(path) for path in files() if path.stem in empty] == []
