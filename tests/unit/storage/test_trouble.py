import errno
import sqlite3

import pytest

from gatepost.mailflow.queue.ports import StoreTrouble
from gatepost.storage.trouble import classify, classify_os, classify_sqlite

NO_ROOM, IO_ERROR, SUSPECT = StoreTrouble.NO_ROOM, StoreTrouble.IO_ERROR, StoreTrouble.SUSPECT


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SQLITE_FULL", NO_ROOM),
        ("SQLITE_IOERR", IO_ERROR),
        ("SQLITE_IOERR_WRITE", IO_ERROR),
        ("SQLITE_IOERR_READ", IO_ERROR),
        ("SQLITE_IOERR_NOMEM", IO_ERROR),
        ("SQLITE_IOERR_FSYNC", SUSPECT),
        ("SQLITE_IOERR_DIR_FSYNC", SUSPECT),
        ("SQLITE_IOERR_CLOSE", SUSPECT),
        ("SQLITE_BUSY", IO_ERROR),
        ("SQLITE_BUSY_SNAPSHOT", IO_ERROR),
        ("SQLITE_LOCKED", IO_ERROR),
        ("SQLITE_NOMEM", IO_ERROR),
        ("SQLITE_READONLY", IO_ERROR),
        ("SQLITE_READONLY_DBMOVED", IO_ERROR),
        ("SQLITE_CANTOPEN", IO_ERROR),
        ("SQLITE_PERM", IO_ERROR),
        ("SQLITE_PROTOCOL", IO_ERROR),
        ("SQLITE_CORRUPT", SUSPECT),
        ("SQLITE_CORRUPT_INDEX", SUSPECT),
        ("SQLITE_NOTADB", SUSPECT),
        ("SQLITE_CONSTRAINT", None),
        ("SQLITE_CONSTRAINT_UNIQUE", None),
        ("SQLITE_TOOBIG", None),
        ("SQLITE_ERROR", None),
    ],
)
def test_what_a_result_code_of_sqlite_says_about_the_store(name, expected):
    assert classify_sqlite(getattr(sqlite3, name)) is expected


@pytest.mark.parametrize("is_flush", [True, False], ids=["flush", "no flush"])
@pytest.mark.parametrize(
    ("number", "otherwise"),
    [
        (errno.ENOSPC, NO_ROOM),
        (errno.EDQUOT, NO_ROOM),
        (errno.EFBIG, NO_ROOM),
        (errno.EMFILE, NO_ROOM),
        (errno.EIO, IO_ERROR),
        (errno.EACCES, IO_ERROR),
        (errno.EROFS, IO_ERROR),
    ],
    ids=lambda value: errno.errorcode.get(value, "") if isinstance(value, int) else "",
)
def test_what_an_error_of_the_file_system_says_about_the_store(number, otherwise, is_flush):
    found = classify_os(OSError(number, "words"), is_flush=is_flush)

    assert found is (SUSPECT if is_flush and otherwise is IO_ERROR else otherwise)


def test_an_error_out_of_sqlite_is_known_by_its_code():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA max_page_count=3")
    connection.execute("CREATE TABLE t (b BLOB UNIQUE)")
    with pytest.raises(sqlite3.Error) as full:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.Error) as constraint:
        connection.execute("INSERT INTO t VALUES (1)")
    connection.close()

    assert classify(full.value) is NO_ROOM
    assert classify(constraint.value) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [(MemoryError(), IO_ERROR), (ValueError(), None), (sqlite3.ProgrammingError("no code"), None)],
    ids=["memory", "a fault of ours", "no code"],
)
def test_other_errors(error, expected):
    assert classify(error) is expected
