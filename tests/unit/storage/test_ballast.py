from pathlib import Path

import pytest

from gatepost.storage.ballast import Ballast

OCTETS = 1 << 16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shard-0.ballast"


def test_what_is_taken_is_set_aside_on_the_disk(path: Path) -> None:
    ballast = Ballast(path, OCTETS)

    assert ballast.take()

    assert path.stat().st_blocks * 512 >= OCTETS
    assert (ballast.is_whole, ballast.is_spent) == (True, False)


def test_it_is_given_back_once_and_spent_until_it_is_taken_again(path: Path) -> None:
    ballast = Ballast(path, OCTETS)
    ballast.take()

    assert [ballast.give_back(), ballast.give_back()] == [True, False]
    assert path.stat().st_blocks == 0
    assert (ballast.is_whole, ballast.is_spent) == (False, True)
    assert ballast.take()
    assert not ballast.is_spent


def test_the_next_process_finds_it_whole(path: Path) -> None:
    first = Ballast(path, OCTETS)
    first.take()
    first.close()

    assert Ballast(path, OCTETS).is_whole


@pytest.mark.parametrize(
    ("octets", "size", "is_whole"),
    [
        pytest.param(OCTETS // 2, OCTETS // 2, True, id="smaller"),
        pytest.param(OCTETS * 2, 0, False, id="larger"),
        pytest.param(0, 0, False, id="none"),
    ],
)
def test_another_size_is_set_when_it_is_opened(path: Path, octets: int, size: int, is_whole: bool) -> None:
    Ballast(path, OCTETS).take()

    assert Ballast(path, octets).is_whole is is_whole
    assert path.stat().st_size == size


def test_where_there_is_no_room_nothing_is_held(path: Path) -> None:
    ballast = Ballast(path, 1 << 60)

    assert not ballast.take()
    assert path.stat().st_blocks == 0
    assert not ballast.is_spent


def test_none_is_never_taken_nor_given_back(path: Path) -> None:
    ballast = Ballast(path, 0)

    assert not ballast.take()
    assert not ballast.give_back()


def test_after_closing_nothing_changes(path: Path) -> None:
    ballast = Ballast(path, OCTETS)
    ballast.close()
    ballast.close()

    assert not ballast.take()
