import os
from pathlib import Path

import pytest

from gatepost.storage.ballast import Ballast
from gatepost.storage.disk_reserve import DiskReserve

EVERYTHING = 1 << 62


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_below_the_reserve_there_is_no_room_for_new_mail(tmp_path: Path, time: Time) -> None:
    found = os.statvfs(tmp_path)
    free = found.f_bavail * found.f_frsize

    assert DiskReserve(tmp_path, free // 2, monotonic=time).has_room()
    assert not DiskReserve(tmp_path, EVERYTHING, monotonic=time).has_room()


def test_file_system_is_asked_once_a_second_at_most(tmp_path: Path, time: Time) -> None:
    reserve = DiskReserve(tmp_path, 0, monotonic=time)
    answers = [reserve.has_room()]
    reserve.reserve_octets = EVERYTHING
    for _ in range(3):
        answers.append(reserve.has_room())
        time.now += 0.3
    time.now += 0.2
    answers.append(reserve.has_room())

    assert answers == [True, True, True, True, False]


def test_directory_that_cannot_be_asked_refuses_nothing(tmp_path: Path, time: Time) -> None:
    reserve = DiskReserve(tmp_path / "gone", EVERYTHING, monotonic=time)

    assert reserve.has_room()
    assert reserve.free_octets == 0


@pytest.fixture
def ballast(tmp_path: Path) -> Ballast:
    return Ballast(tmp_path / "ballast", 4096)


def test_while_the_ballast_is_spent_there_is_no_room_for_new_mail(tmp_path: Path, time: Time, ballast: Ballast) -> None:
    reserve = DiskReserve(tmp_path, 0, monotonic=time, ballast=ballast)
    reserve.keep_ballast()
    ballast.give_back()

    assert not reserve.has_room()
    reserve.keep_ballast()
    assert reserve.has_room()


def test_ballast_is_not_taken_out_of_the_reserve(tmp_path: Path, time: Time, ballast: Ballast) -> None:
    DiskReserve(tmp_path, EVERYTHING, monotonic=time, ballast=ballast).keep_ballast()

    assert not ballast.is_whole


def test_a_ballast_that_could_never_be_taken_refuses_nothing(tmp_path: Path, time: Time, ballast: Ballast) -> None:
    assert DiskReserve(tmp_path, 0, monotonic=time, ballast=ballast).has_room()
