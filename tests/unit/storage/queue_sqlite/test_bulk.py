import sqlite3

import pytest

from gatepost.storage.queue_sqlite.bulk import insert_rows, key_list


@pytest.mark.parametrize("count", [0, 1, 3, 4, 15, 16, 63, 64, 65, 85, 300])
def test_every_row_is_inserted_once_and_in_order(count):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    rows = [(number, f"text {number}") for number in range(count)]

    insert_rows(connection, "t (a, b)", rows)

    assert connection.execute("SELECT a, b FROM t ORDER BY id").fetchall() == rows
    connection.close()


@pytest.mark.parametrize("keys", [[], [1], [3, 1, 2**50]], ids=str)
def test_keys_pass_as_one_parameter(keys):
    connection = sqlite3.connect(":memory:")

    found = connection.execute("SELECT value FROM json_each(?)", (key_list(keys),)).fetchall()

    assert [key for (key,) in found] == keys
    connection.close()
