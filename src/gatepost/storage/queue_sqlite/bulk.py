"""Many rows in few statements.

Each statement that ``sqlite3`` executes gives the interpreter lock away and must win it back from a busy event loop;
``executemany`` does so for each row. Statements over many rows are why a group is cheap.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from gatepost.storage.queue_sqlite.codec import Row

_BATCHES = (64, 16, 4, 1)


def insert_rows(connection: sqlite3.Connection, into: str, rows: Sequence[Row]) -> None:
    """Insert rows; ``into`` is ``table (columns)``."""
    start = 0
    for size in _BATCHES:
        while len(rows) - start >= size:
            values = list(chain.from_iterable(rows[start : start + size]))
            connection.execute(_insert(into, len(rows[start]), size), values)
            start += size


def key_list(keys: Iterable[int]) -> str:
    """Return integer keys as the one parameter of ``IN (SELECT value FROM json_each(?))``."""
    return f"[{','.join(map(str, keys))}]"


@lru_cache(maxsize=64)
def _insert(into: str, width: int, rows: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"INSERT INTO {into} VALUES {','.join([row] * rows)}"  # noqa: S608 - constants
