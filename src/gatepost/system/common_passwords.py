"""The passwords that are tried first, as shipped."""

from functools import cache
from importlib import resources


@cache
def load_common_passwords() -> frozenset[str]:
    """Return every line of ``common_passwords.txt``: lower case, none shorter than the policy takes."""
    text = resources.files("gatepost.system").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
