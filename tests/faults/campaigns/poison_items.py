"""D11: records that do not read back, planted in the shards: set aside, and nothing else suffers."""

import asyncio
import sqlite3
from contextlib import closing

from tests.faults.checker import judge
from tests.faults.history import Answer
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, running
from tests.faults.sink import Action, Reply, Sink

from gatepost.storage.queue_sqlite.shard import list_shards

POISON = {
    "content altered": "UPDATE message SET content = replace(content, 'spaces', 'places') WHERE id = :id",
    "content cut short": "UPDATE message SET content = substr(content, 1, 50) WHERE id = :id",
    "content gone": "UPDATE message SET content = NULL WHERE id = :id",
    "content of another type": "UPDATE message SET content = 7 WHERE id = :id",
    "envelope altered": "UPDATE message SET head = CAST(replace(head, 'ann', 'eve') AS BLOB) WHERE id = :id",
    "envelope of one octet": "UPDATE message SET head = x'93' WHERE id = :id",
    "account altered": "UPDATE message SET account_id = 'acc_other' WHERE id = :id",
    "instant beyond all clocks": "UPDATE message SET accepted_at = 9223372036854775807 WHERE id = :id",
    "size negative": "UPDATE message SET size_octets = -1 WHERE id = :id",
    "recipient altered": "UPDATE recipient SET local_part = 'eve' WHERE id / 65536 = :id",
    "recipient of no encoding": "UPDATE recipient SET local_part = CAST(x'ff00' AS TEXT) WHERE id / 65536 = :id",
    "message row gone": "DELETE FROM message WHERE id = :id",
    "spooled file gone": "UPDATE message SET spool = 'nowhere' WHERE id = :id",
    "spool name that climbs": "UPDATE message SET spool = '../../keyring' WHERE id = :id",
}


async def run(options: Options) -> Result:
    """Queue, poison some, deliver the rest."""
    copies = 10 if options.is_full else 1
    messages = len(POISON) * copies * 4
    waiting = True

    def busy_at_first(stage: str, nth: int) -> Action | None:
        return Reply(text="451 not now") if waiting and stage == "MAIL" else None

    async with running(options, sink=Sink(busy_at_first)) as rig:
        load = rig.load(Plan(seed=options.seed, connections=8, max_recipients=1))
        await load.run(messages=messages)
        await rig.stop()
        poisoned = await asyncio.to_thread(_plant, rig, copies)
        waiting = False
        await rig.start()
        workers = set(rig.mail_workers())
        after = rig.load(Plan(seed=options.seed, connections=4, max_recipients=1), prefix="after")
        await after.run(messages=50)
        history = await rig.finish()
        is_steady = workers == set(rig.mail_workers())
    planted, dropped = len(poisoned), history.events["dropped"]
    # A recipient's row that was altered is dropped under the altered name; how many were dropped is compared below.
    history.endings = dict.fromkeys(poisoned, "dropped") | dict(history.endings)
    verdict = judge(history)
    result = Result.of(verdict, planted=planted, set_aside=dropped)
    result.expect(dropped == planted, f"poison: {planted} were planted, {dropped} were set aside")
    delivered = history.events["delivered"]
    whole = sum(s.answer is Answer.ACCEPTED for s in history.submissions) - planted
    result.expect(delivered == whole, f"poison: {whole} were whole, {delivered} were delivered")
    result.expect(is_steady, "poison: a worker ended over it")
    return result


def _plant(rig: Rig, copies: int) -> list[str]:
    """Return the recipients of what was poisoned; each message has one."""
    statements = [POISON[name] for name in POISON for _ in range(copies)]
    poisoned = []
    for path in list_shards(rig.queue_dir):
        with closing(sqlite3.connect(path)) as connection, connection:
            rows = connection.execute(
                "SELECT id / 65536, local_part || '@' || domain FROM recipient ORDER BY id"
            ).fetchall()
            # Every second one, so that whole records lie before and behind each broken one.
            for message_id, recipient in rows[::2]:
                if statements:
                    connection.execute(statements.pop(), {"id": message_id})
                    poisoned.append(recipient)
    return poisoned
