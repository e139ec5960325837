from pathlib import Path

import pytest

from gatepost.storage.shared_cells import SharedCells


def test_what_one_process_counts_another_sees(tmp_path: Path) -> None:
    one, other = SharedCells(tmp_path / "meters"), SharedCells(tmp_path / "meters")

    with one.holding():
        one.put("acme", 5.5, 1_700_000_000.25)

    assert other.get("acme") == (5.5, 1_700_000_000.25)
    assert other.get("globex") == (0.0, 0.0)


def test_names_have_their_own_levels_up_to_the_capacity(tmp_path: Path) -> None:
    cells = SharedCells(tmp_path / "meters", capacity=1 << 12)
    for number in range(200):
        cells.put(f"account-{number}", number, 1.0)

    assert [cells.get(f"account-{number}")[0] for number in range(200)] == list(range(200))


def test_where_there_is_no_room_the_longest_quiet_gives_way(tmp_path: Path) -> None:
    cells = SharedCells(tmp_path / "meters", capacity=8)
    for number in range(8):
        cells.put(f"n{number}", number, 100.0 + number)
    cells.put("n0", 9, 200.0)

    cells.put("new", 1, 201.0)

    assert [cells.get(f"n{number}")[0] for number in range(8)] == [9, 0, 2, 3, 4, 5, 6, 7]
    assert cells.get("new") == (1, 201.0)


@pytest.mark.parametrize("octets", [b"", b"x" * 1000], ids=["empty", "of another size"])
def test_a_file_that_is_none_of_ours_is_made_one(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "meters").write_bytes(octets)
    cells = SharedCells(tmp_path / "meters", capacity=64)

    cells.put("acme", 1, 2)

    assert cells.get("acme") == (1, 2)
    assert (tmp_path / "meters").stat().st_size == 64 * 32


def test_a_holder_that_stands_still_stops_nobody(tmp_path: Path) -> None:
    one, other = SharedCells(tmp_path / "meters"), SharedCells(tmp_path / "meters")

    with one.holding(), other.holding():
        other.put("acme", 1, 2)

    assert one.get("acme") == (1, 2)


def test_a_lock_is_given_back(tmp_path: Path) -> None:
    one, other = SharedCells(tmp_path / "meters"), SharedCells(tmp_path / "meters")
    with one.holding():
        assert not other._try_to_lock()

    assert other._try_to_lock()


def test_a_file_that_cannot_be_used_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="link"):
        SharedCells(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_closed_it_holds_nothing(tmp_path: Path) -> None:
    cells = SharedCells(tmp_path / "meters")
    cells.close()

    with pytest.raises(ValueError, match="closed"):
        cells.get("acme")
