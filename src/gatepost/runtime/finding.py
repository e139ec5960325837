"""A finding: one thing that ``gatepost check`` looked at, and how to mend it."""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. ``mend`` says what to do; "" where nothing is to be done."""

    subject: str
    verdict: Verdict
    text: str
    mend: str = ""


def ok(subject: str, text: str) -> Finding:
    """Make a finding that all is well."""
    return Finding(subject=subject, verdict=Verdict.OK, text=text)


def warn(subject: str, text: str, mend: str) -> Finding:
    """Make a finding that will or may do harm."""
    return Finding(subject=subject, verdict=Verdict.WARN, text=text, mend=mend)


def fail(subject: str, text: str, mend: str) -> Finding:
    """Make a finding that keeps the service from working, or its secrets from being safe."""
    return Finding(subject=subject, verdict=Verdict.FAIL, text=text, mend=mend)
