"""What a disk may hold after a power cut."""

import random

import pytest
from tests.faults.crash_states import Disk, Operation

DATABASE = "/queue/shard.db"


def write(offset, data, path=DATABASE):
    return Operation("W", path, offset, data)


def flush(path, thread=1):
    return [Operation("F", path, thread, b""), Operation("S", path, thread, b"")]


def states(operations, folder):
    """Every content that forty cuts leave; None for no file."""
    disk = Disk()
    for operation in operations:
        disk.follow(operation)
    found = set()
    for seed in range(40):
        place = folder / str(seed)
        place.mkdir()
        disk.write_state("/queue", place, random.Random(seed))
        path = place / "shard.db"
        found.add(path.read_bytes() if path.exists() else None)
    return found


NAMED = flush("/queue")
CASES = {
    "flushed, and its name": ([write(0, b"ab"), *flush(DATABASE), *NAMED], {b"ab"}),
    "flushed, but not its name": ([write(0, b"ab"), *flush(DATABASE)], {b"ab", None}),
    "not flushed": ([write(0, b"ab"), *NAMED], {b"ab", b""}),
    "written over after the flush": ([write(0, b"ab"), *flush(DATABASE), *NAMED, write(1, b"c")], {b"ab", b"ac"}),
    "cut after the flush": (
        [write(0, b"ab"), *flush(DATABASE), *NAMED, Operation("T", DATABASE, 1, b"")],
        {b"ab", b"a"},
    ),
    "removed": ([write(0, b"ab"), *flush(DATABASE), *NAMED, Operation("U", DATABASE, 0, b"")], {b"ab", None}),
    "removed, and that flushed": (
        [write(0, b"ab"), *flush(DATABASE), *NAMED, Operation("U", DATABASE, 0, b""), *NAMED],
        {None},
    ),
    "written while a flush ran": (
        [write(0, b"a"), flush(DATABASE)[0], write(1, b"b"), flush(DATABASE)[1], *NAMED],
        {b"a", b"ab"},
    ),
    "a flush that failed": ([write(0, b"a"), flush(DATABASE)[0], *NAMED], {b"a", b""}),
    "two in any order": ([*NAMED, write(0, b"a"), write(1, b"b"), *NAMED], {b"", b"a", b"\0b", b"ab"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_cut_leaves_every_state_that_is_possible_and_no_other(name, tmp_path):
    operations, expected = CASES[name]

    assert states(operations, tmp_path) == expected


def test_a_long_write_may_be_cut_at_a_sector(tmp_path):
    found = states([write(0, b"x" * 2048), *NAMED], tmp_path)

    assert {b"x" * 512, b"x" * 1024, b"x" * 1536} & found
    assert all(len(content) % 512 == 0 for content in found)
