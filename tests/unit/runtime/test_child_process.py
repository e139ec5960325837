import os

import pytest

from gatepost.runtime.child_process import READY_VARIABLE, SUPERVISOR_VARIABLE, SupervisorLink, Word


def test_what_is_said_is_one_octet_each_and_nothing_is_left_in_the_environment():
    reading, writing = os.pipe()
    environment = {READY_VARIABLE: str(writing), SUPERVISOR_VARIABLE: str(os.getppid())}
    link = SupervisorLink(environment)

    for word in (Word.PREPARED, Word.READY, Word.BEAT):
        link.tell(word)

    assert os.read(reading, 10) == b"pr."
    assert environment == {}
    assert not link.is_orphaned
    os.close(reading)
    os.close(writing)


def test_supervisor_that_does_not_listen_any_more_stops_nobody():
    reading, writing = os.pipe()
    os.close(reading)
    link = SupervisorLink({READY_VARIABLE: str(writing)})

    link.tell(Word.READY)
    link.tell(Word.BEAT)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writing)


def test_supervisor_that_stands_still_stops_nobody():
    reading, writing = os.pipe()
    link = SupervisorLink({READY_VARIABLE: str(writing)})

    for _ in range(100_000):
        link.tell(Word.BEAT)

    os.close(reading)
    os.close(writing)


async def test_beats_end_with_the_supervisor_that_hears_them():
    reading, writing = os.pipe()
    os.close(reading)

    await SupervisorLink({READY_VARIABLE: str(writing)}).beat_for_ever()


async def test_without_a_supervisor_nothing_happens():
    link = SupervisorLink({})

    link.tell(Word.READY)
    link.end_with_supervisor()
    await link.beat_for_ever()

    assert not link.is_orphaned


def test_process_whose_supervisor_is_gone_already_ends():
    link = SupervisorLink({SUPERVISOR_VARIABLE: str(os.getpid())})

    assert link.is_orphaned
    with pytest.raises(SystemExit):
        link.end_with_supervisor()
