"""The openspf.org test suite for RFC 7208: 203 cases, which come with the source package of pyspf."""

import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest

from gatepost.standards.address import Mailbox
from gatepost.standards.dns.question import Answer, AnswerStatus, Question
from gatepost.standards.dns.records import MX, TXT, Address, Name, Record
from gatepost.standards.spf import SPFResult, evaluate

SOURCE_PACKAGE = "pyspf==2.0.14"
CASES = 203
AT = datetime(2026, 11, 23, tzinfo=UTC)
TIME_OUT = "TIMEOUT"


@pytest.fixture(scope="module")
def scenarios(requires_program, tmp_path_factory) -> list[dict[str, Any]]:
    """Fetch the suite: a wheel does not carry it, so the source package is asked for."""
    try:
        import yaml
    except ImportError:
        requires_program("PyYAML")
    folder = tmp_path_factory.mktemp("pyspf")
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    fetch += ["--no-binary", "pyspf", "--dest", str(folder), SOURCE_PACKAGE]
    if subprocess.run(fetch, timeout=100).returncode:
        requires_program(f"the source package {SOURCE_PACKAGE} (pip download)")
    with tarfile.open(next(folder.glob("*.tar.gz"))) as package:
        suite = next(member for member in package if member.name.endswith("/test/rfc7208-tests.yml"))
        octets = package.extractfile(suite).read()
    return list(yaml.safe_load_all(octets.decode("utf-8")))


def test_every_case_of_the_suite_has_an_allowed_result(scenarios):
    failures = []
    cases = 0
    for scenario in scenarios:
        zone = zone_of(scenario["zonedata"])
        for name, case in scenario["tests"].items():
            cases += 1
            result = evaluate_case(case, zone)
            allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
            explanation = case.get("explanation")
            is_explained = explanation in (None, result.explanation or "DEFAULT")
            if result.value.value not in allowed or not is_explained:
                failures.append((scenario["description"], name, allowed, explanation, result))

    assert failures == []
    assert cases == CASES


def evaluate_case(case: dict[str, Any], zone: dict[str, list[tuple[str, Any]]]) -> SPFResult:
    local_part, _, domain = case["mailfrom"].rpartition("@")
    evaluation = evaluate(
        ip_address(case["host"]),
        Mailbox(local_part=local_part, domain=domain) if case["mailfrom"] else None,
        helo=case["helo"],
        at=AT,
        receiver=case.get("receiver", "unknown"),
    )
    try:
        question = next(evaluation)
        while True:
            question = evaluation.send(answer(zone, question))
    except StopIteration as stop:
        return stop.value


def zone_of(data: dict[str, list[Any]]) -> dict[str, list[tuple[str, Any]]]:
    """Name → records, in order. Records of type SPF stand for TXT records unless there are any of those."""
    zone = {}
    for name, entries in data.items():
        records = [(TIME_OUT, None) if entry == TIME_OUT else next(iter(entry.items())) for entry in entries]
        has_txt = any(record_type == "TXT" for record_type, _ in records)
        zone[name.lower()] = [
            ("TXT" if record_type == "SPF" else record_type, value)
            for record_type, value in records
            if value != "NONE" and not (record_type == "SPF" and has_txt)
        ]
    return zone


def answer(zone: dict[str, list[tuple[str, Any]]], question: Question) -> Answer:
    if question.name not in zone:
        return Answer(status=AnswerStatus.NO_NAME)
    found: list[Record] = []
    for record_type, value in zone[question.name]:
        if record_type == "CNAME":
            return answer(zone, Question(value.lower(), question.type))
        if (record_type == TIME_OUT and not found) or (record_type == question.type.value and value == TIME_OUT):
            return Answer(status=AnswerStatus.FAILED, detail="timed out")
        if record_type == question.type.value:
            found.append(record_of(record_type, value))
    return Answer(status=AnswerStatus.FOUND if found else AnswerStatus.NO_DATA, records=tuple(found))


def record_of(record_type: str, value: Any) -> Record:
    match record_type:
        case "TXT":
            return TXT((value if isinstance(value, str) else "".join(value)).encode("utf-8"))
        case "MX":
            return MX(value[0], value[1])
        case "PTR":
            return Name(value)
        case _:
            return Address(str(ip_address(value)))
