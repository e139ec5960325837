import os

import pytest

from gatepost.runtime.child_process import READY_VARIABLE, SUPERVISOR_VARIABLE, end_with_supervisor, tell_ready


def test_readiness_is_one_octet_and_then_the_end():
    reading, writing = os.pipe()
    environment = {READY_VARIABLE: str(writing)}

    tell_ready(environment)

    assert os.read(reading, 10) == b"r"
    assert os.read(reading, 10) == b""
    assert environment == {}
    os.close(reading)


def test_supervisor_that_does_not_listen_any_more_stops_nobody():
    reading, writing = os.pipe()
    os.close(reading)

    tell_ready({READY_VARIABLE: str(writing)})

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writing)


def test_without_a_supervisor_nothing_happens():
    tell_ready({})
    end_with_supervisor({})


def test_process_whose_supervisor_is_gone_already_ends():
    with pytest.raises(SystemExit):
        end_with_supervisor({SUPERVISOR_VARIABLE: str(os.getpid())})
