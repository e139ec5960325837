"""A shard that comes from a backup: what it has queued may have been delivered since, and nobody here can know.

A backup carries an empty file beside each shard's database, ``shard-N.restored``. The worker that finds it holds
everything before it takes or hands out anything, and removes it.
"""

import sqlite3
from pathlib import Path
from typing import Final

from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN
from gatepost.storage.queue_sqlite.codec import EVENT_COLUMNS, encode_detail
from gatepost.storage.queue_sqlite.schema import MESSAGE_ID_OF_RECIPIENT

REASON: Final = "restored from a backup: it may have been delivered since"

# What the service would release by itself may have been delivered too.
_MEANT: Final = "(state IN (0, 3) OR held_reason = ?)"

_NOTE: Final = f"""
    INSERT INTO event ({EVENT_COLUMNS})
    SELECT ?, '{EventType.HELD.value}', account_id, key_id, {MESSAGE_ID_OF_RECIPIENT}, local_part, domain, ?
    FROM recipient WHERE {_MEANT}
"""  # noqa: S608 - constants


def hold_if_restored(connection: sqlite3.Connection, mark: Path, *, now: int) -> int:
    """Hold all that is queued or scheduled if the mark is there; return how many recipients were.

    Call it after ``recover``, which leaves none leased. The mark is removed after the commit: a crash in between holds
    once more what nobody can have released.
    """
    if not mark.exists():
        return 0
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_NOTE, (now, encode_detail({"reason": REASON}), HELD_UNTIL_RETURN))
    held = connection.execute(
        f"UPDATE recipient SET state = 2, held_reason = ? WHERE {_MEANT}",  # noqa: S608 - constants
        (REASON, HELD_UNTIL_RETURN),
    ).rowcount
    connection.execute("COMMIT")
    mark.unlink()
    return held
