import json
import logging
import os
import sys
from datetime import UTC, datetime

import pytest
import structlog

from gatepost.primitives.secret import Secret
from gatepost.telemetry.logger import LogFormat, LogLevel, configure, get_logger, write_to_stderr

KEY = "SG." + "a" * 22 + "." + "b" * 43


class Clock:
    def now(self):
        return datetime(2026, 11, 23, 12, 0, 0, 1500, tzinfo=UTC)


@pytest.fixture
def lines():
    handlers = logging.getLogger().handlers[:]
    yield []
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


def start(lines, log_format=LogFormat.JSON, level=LogLevel.INFO):
    configure(clock=Clock(), level=level, log_format=log_format, write=lines.append, process="mail-0")
    return get_logger(port=587)


def test_json_line_carries_time_level_process_event_and_fields(lines):
    start(lines).info("submission_accepted", message_id="m1", recipients=3)

    assert lines[0].endswith(b"\n")
    assert json.loads(lines[0]) == {
        "at": "2026-11-23T12:00:00.001Z",
        "process": "mail-0",
        "port": 587,
        "message_id": "m1",
        "recipients": 3,
        "event": "submission_accepted",
        "level": "info",
    }


def test_bind_adds_to_every_later_line(lines):
    log = start(lines).bind(account_id="acc_1")

    log.warning("one")

    assert json.loads(lines[0])["account_id"] == "acc_1"


def test_events_below_the_level_are_not_written(lines):
    start(lines, level=LogLevel.WARNING).info("chatter")

    assert lines == []


@pytest.mark.parametrize("log_format", LogFormat)
def test_no_secret_reaches_a_line(lines, log_format):
    start(lines, log_format).info("auth", password="hunter2", given=Secret("hunter2"), said=f"PLAIN {KEY}")

    assert b"hunter2" not in lines[0]
    assert b"SG." not in lines[0]


@pytest.mark.parametrize("log_format", LogFormat)
def test_text_from_outside_cannot_make_a_second_line(lines, log_format):
    start(lines, log_format).info("peer_said", text="x\n2026-11-23T12:00:00.000Z info forged\r\u2028\x1b[2J")

    assert lines[0].count(b"\n") == 1
    assert b"\x1b" not in lines[0]
    assert b"\r" not in lines[0]


def test_console_line_quotes_what_has_spaces(lines):
    start(lines, LogFormat.CONSOLE).info("refused", reason="no such key", count=2)

    assert lines == [b'2026-11-23T12:00:00.001Z info    refused process=mail-0 port=587 reason="no such key" count=2\n']


def test_console_traceback_is_indented_so_that_it_cannot_pass_for_a_line(lines):
    log = start(lines, LogFormat.CONSOLE)

    try:
        raise ValueError("first\nforged info line")
    except ValueError:
        log.exception("broken")

    text = lines[0].decode()
    assert "ValueError: first" in text
    assert all(line.startswith("    ") for line in text.splitlines()[1:])


def test_what_libraries_log_is_written_and_redacted_too(lines):
    start(lines)

    logging.getLogger("asyncio").error("Task failed with %s", KEY)

    line = json.loads(lines[0])
    assert (line["event"], line["library"], line["level"]) == ("library_message", "asyncio", "error")
    assert "SG." not in line["text"]


def test_standard_error_gets_the_line_and_a_closed_one_stops_nobody(monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        write_to_stderr(b"line\n")
    write_to_stderr(b"lost\n")

    with os.fdopen(reading, "rb") as stream:
        assert stream.read() == b"line\n"
