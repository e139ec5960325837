"""What an error of SQLite or of the file system means for the store."""

import errno
import sqlite3
from typing import Final

from gatepost.mailflow.queue.ports import StoreTrouble

# A failed flush: the kernel may have dropped the pages and will call the next flush a success.
_FAILED_FLUSH: Final = frozenset(
    {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC, sqlite3.SQLITE_IOERR_CLOSE}
)

_BY_PRIMARY_CODE: Final = {
    sqlite3.SQLITE_FULL: StoreTrouble.NO_ROOM,
    sqlite3.SQLITE_IOERR: StoreTrouble.IO_ERROR,
    sqlite3.SQLITE_BUSY: StoreTrouble.IO_ERROR,
    sqlite3.SQLITE_LOCKED: StoreTrouble.IO_ERROR,
    sqlite3.SQLITE_NOMEM: StoreTrouble.IO_ERROR,
    sqlite3.SQLITE_READONLY: StoreTrouble.IO_ERROR,
    sqlite3.SQLITE_CANTOPEN: StoreTrouble.IO_ERROR,
    sqlite3.SQLITE_PERM: StoreTrouble.IO_ERROR,
    sqlite3.SQLITE_PROTOCOL: StoreTrouble.IO_ERROR,
    sqlite3.SQLITE_CORRUPT: StoreTrouble.SUSPECT,
    sqlite3.SQLITE_NOTADB: StoreTrouble.SUSPECT,
}

_NO_ROOM_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE})


def classify_sqlite(code: int) -> StoreTrouble | None:
    """Return what an (extended) result code says about the store; None: it is the statement's own fault.

    Source: https://www.sqlite.org/rescode.html. The low eight bits are the primary code.
    """
    if code in _FAILED_FLUSH:
        return StoreTrouble.SUSPECT
    return _BY_PRIMARY_CODE.get(code & 0xFF)


def classify_os(error: OSError, *, is_flush: bool) -> StoreTrouble:
    """Return what an error on a spool file says about the store; ``is_flush``: it came from fsync."""
    if error.errno in _NO_ROOM_ERRNOS:
        return StoreTrouble.NO_ROOM
    return StoreTrouble.SUSPECT if is_flush else StoreTrouble.IO_ERROR


def classify(error: BaseException) -> StoreTrouble | None:
    """Return what any error out of a transaction says about the store; None: it is one job's own fault."""
    if isinstance(error, sqlite3.Error):
        return classify_sqlite(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR))
    if isinstance(error, MemoryError):
        return StoreTrouble.IO_ERROR
    return None
