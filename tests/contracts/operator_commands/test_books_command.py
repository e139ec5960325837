import asyncio
import json
import sqlite3
from contextlib import closing

import pytest

from gatepost.mailflow.queue.recipient import RecipientState

STATES = [RecipientState(name) for name in ("delivered", "bounced", "dropped", "expired", "queued")]


@pytest.fixture
def kept(installation, acme):
    """Six recipients of acme's in shard 0, one in each state (one of them leased); two of globex's in shard 1."""
    globex = installation.create_account("globex")

    async def keep():
        rig = installation.shard(0)
        await rig.start()
        await rig.accept(*[f"r{number}@x.example" for number in range(5)], account=acme)
        (lease,) = await rig.lease_recipients(5)
        await rig.settle(lease, *STATES)
        await rig.accept("held@y.example", account=acme)
        await rig.queue.close()

    asyncio.run(keep())
    other = installation.shard(1)
    installation.fill(1, other.message("a@x.example", "b@x.example", account=globex), other.message(account=acme))
    installation.run("queue", "hold", "--domain", "y.example")


def alter_books(installation, number, account, by):
    """Falsify what a shard says it has accepted."""
    with closing(sqlite3.connect(installation.queue_dir / f"shard-{number}.db")) as connection, connection:
        changed = connection.execute("UPDATE books SET accepted = accepted + ? WHERE account_id = ?", (by, account))
        assert changed.rowcount == 1


def test_books_without_entries_balance(installation):
    result = installation.run("books")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing has been accepted yet.\n")


def test_books_of_all_shards_are_added_up_and_balance(installation, kept):
    result = installation.run("books")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.split() == [
        "ACCOUNT", "ACCEPTED", "DELIVERED", "BOUNCED", "DROPPED", "EXPIRED", "QUEUED", "HELD", "DIFFERENCE",
        "acme", "7", "1", "1", "1", "1", "2", "1", "0",
        "globex", "2", "0", "0", "0", "0", "2", "0", "0",
    ]  # fmt: skip


def test_books_of_one_account(installation, kept, acme):
    (row,) = installation.read_json("books", "--account", "acme")

    assert row == {
        "account": "acme", "account_id": acme, "accepted": 7, "delivered": 1, "bounced": 1, "dropped": 1,
        "expired": 1, "queued": 2, "held": 1, "difference": 0,
    }  # fmt: skip


async def test_what_is_being_tried_counts_as_queued(installation, acme, run_worker):
    rig = await run_worker(0)
    await rig.accept("a@x.example", account=acme)
    (lease,) = await rig.lease_recipients(1)

    result = await installation.run_beside("books", "--json")

    assert [(row["accepted"], row["queued"], row["difference"]) for row in json.loads(result.stdout)] == [(1, 1, 0)]
    assert result.exit_code == 0
    await rig.settle(lease, RecipientState.DELIVERED)


@pytest.mark.parametrize("by", [1, -2], ids=["lost", "from nowhere"])
def test_books_that_do_not_balance_are_a_failure(installation, kept, acme, by):
    alter_books(installation, 0, acme, by)

    result = installation.run("books")
    as_json = installation.run("books", "--json")
    other = installation.run("books", "--account", "globex")

    assert (result.exit_code, as_json.exit_code, other.exit_code) == (1, 1, 0)
    assert "do NOT balance" in result.stderr
    assert f"shard-0.db: account acme: {by:+d} recipients" in result.stderr
    assert [row["difference"] for row in json.loads(as_json.stdout)] == [by, 0]


def test_what_one_shard_lost_is_not_made_up_for_by_another(installation, kept, acme):
    alter_books(installation, 0, acme, 1)
    alter_books(installation, 1, acme, -1)

    result = installation.run("books")

    assert result.exit_code == 1
    assert "shard-0.db: account acme: +1" in result.stderr
    assert "shard-1.db: account acme: -1" in result.stderr
