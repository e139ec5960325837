import asyncio
import json
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.mailflow.queue.recipient import RecipientState
from gatepost.standards.address import Mailbox

QUEUED, LEASED, HELD = (RecipientState(name) for name in ("queued", "leased", "held"))
DELIVERED = RecipientState.DELIVERED


@pytest.fixture
def two_shards(installation, acme):
    """Three messages in two shards: acme's to two domains, and globex's."""
    globex = installation.create_account("globex")
    first, second = installation.shard(0), installation.shard(1)
    one = first.message("a@x.example", "b@y.example", account=acme)
    second.clock.advance(timedelta(minutes=1))
    two = second.message("c@x.example", account=acme, key="other-key")
    three = second.message("d@z.example", account=globex)
    installation.fill(0, one)
    installation.fill(1, two, three)
    return one, two, three


def recipients(installation, *arguments):
    return [row["recipient"] for row in installation.read_json("queue", "list", *arguments)["recipients"]]


def states(installation):
    rows = installation.read_json("queue", "list")["recipients"]
    return {row["recipient"]: row["state"] for row in rows}


# ---------------------------------------------------------------- looking


def test_an_empty_queue_is_said_to_be_empty(installation):
    for command in ("list", "summary"):
        result = installation.run("queue", command)

        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "The queue is empty.\n")


def test_recipients_of_all_shards_are_listed_by_when_they_were_accepted(installation, two_shards):
    result = installation.run("queue", "list")

    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "MESSAGE"
    assert [line.split()[2] for line in lines[1:3]] == ["a@x.example", "b@y.example"]
    assert {line.split()[2] for line in lines[3:]} == {"c@x.example", "d@z.example"}
    assert [line.split()[1] for line in lines[1:3]] == ["acme", "acme"]
    assert two_shards[0].id in lines[1]
    assert result.stderr == ""


def test_a_limit_says_how_many_more_there_are(installation, two_shards):
    result = installation.run("queue", "list", "--limit", "2")

    assert [line.split()[2] for line in result.stdout.splitlines()[1:]] == ["a@x.example", "b@y.example"]
    assert "and 2 more" in result.stderr
    listed = installation.read_json("queue", "list", "--limit", "1")
    assert (listed["total"], len(listed["recipients"])) == (4, 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--account", "globex"], ["d@z.example"]),
        (["--account", "acme", "--domain", "X.example."], ["a@x.example", "c@x.example"]),
        (["--domain", "y.example"], ["b@y.example"]),
        (["--state", "held"], []),
        (["--state", "queued", "--domain", "z.example"], ["d@z.example"]),
    ],
    ids=" ".join,
)
def test_recipients_are_listed_by_predicate(installation, two_shards, arguments, expected):
    assert recipients(installation, *arguments) == expected


def test_recipients_are_listed_by_message_and_by_account_id(installation, acme, two_shards):
    assert recipients(installation, "--message", two_shards[1].id) == ["c@x.example"]
    assert len(recipients(installation, "--account", acme)) == 3


def test_recipients_are_listed_by_key(installation, acme):
    made = installation.run("key", "create", "--account", "acme", "--name", "shop", "--scope", "mail.send")
    key_id = made.stdout.split(".")[1]
    rig = installation.shard(0)
    installation.fill(0, rig.message("a@x.example", account=acme, key=key_id), rig.message("b@x.example", account=acme))

    assert recipients(installation, "--key", key_id) == ["a@x.example"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--account", "nobody"], 1, "there is no account 'nobody'"),
        (["--key", "unknown"], 1, "there is no such key"),
        (["--domain", "not a domain"], 2, "write a recipient's domain"),
        (["--state", "delivered"], 2, "is not one of"),
        (["--limit", "0"], 2, "--limit"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_refused(installation, acme, arguments, status, message):
    result = installation.run("queue", "list", *arguments)

    assert result.exit_code == status
    assert message in result.stderr


def test_a_summary_counts_each_accounts_recipients_by_state(installation, two_shards):
    installation.run("queue", "hold", "--domain", "y.example")

    assert installation.run("queue", "summary").stdout.split() == [
        "ACCOUNT", "QUEUED", "LEASED", "HELD", "SCHEDULED",
        "acme", "2", "0", "1", "0",
        "globex", "1", "0", "0", "0",
    ]  # fmt: skip
    summary = installation.read_json("queue", "summary")
    assert [(row["account"], row["queued"], row["held"]) for row in summary] == [("acme", 2, 1), ("globex", 1, 0)]


def test_a_queued_message_is_shown_with_its_envelope_and_origin(installation, acme, two_shards):
    shown = installation.read_json("queue", "show", two_shards[0].id)

    assert (shown["account"], shown["account_id"], shown["author"]) == ("acme", acme, "news@example.com")
    assert (shown["reverse_path"], shown["client"], shown["tls"]) == ("<news@example.com>", "192.0.2.1", "TLSv1.3")
    assert shown["size_octets"] == two_shards[0].content.size_octets
    assert [(each["recipient"], each["state"]) for each in shown["recipients"]] == [
        ("a@x.example", "queued"),
        ("b@y.example", "queued"),
    ]
    text = installation.run("queue", "show", two_shards[0].id).stdout
    assert "news@example.com" in text
    assert "a@x.example  queued  0" in text


def test_a_message_that_is_not_queued_is_said_to_be_so(installation, two_shards):
    installation.run("queue", "remove", "--message", two_shards[1].id, "--yes")

    gone = installation.run("queue", "show", two_shards[1].id)
    unknown = installation.run("queue", "show", "never-was")

    assert (gone.exit_code, unknown.exit_code) == (1, 1)
    assert "gatepost message show" in gone.stderr
    assert "there is no message 'never-was'" in unknown.stderr


def test_what_a_peer_said_cannot_drive_the_terminal(installation, acme):
    rig = installation.shard(0)

    async def defer():
        await rig.start()
        await rig.accept("a@x.example", account=acme)
        (lease,) = await rig.lease_recipients(1)
        await rig.settle(lease, QUEUED, reply="450 \x1b[2J\x9b1m\u202eevil\r\nmore")
        await rig.queue.close()

    asyncio.run(defer())
    texts = [installation.run("queue", "list", *more).stdout for more in ([], ["--json"])]

    assert [text.replace("\n", "").isprintable() for text in texts] == [True, True]
    assert "450 \\u001b[2J\\u009b1m\\u202eevil\\r\\nmore" in texts[0]
    assert json.loads(texts[1])["recipients"][0]["last_reply"] == "450 \x1b[2J\x9b1m\u202eevil\r\nmore"


def test_a_damaged_shard_is_named_with_what_to_do(installation, two_shards):
    (installation.queue_dir / "shard-1.db").write_bytes(b"no database at all" * 1000)

    result = installation.run("queue", "list")

    assert result.exit_code == 1
    assert "shard-1.db is damaged" in result.stderr
    assert "Stop the relay" in result.stderr


def test_a_shard_that_is_just_being_made_is_passed_over(installation, two_shards):
    (installation.queue_dir / "shard-2.db").touch()

    assert len(recipients(installation)) == 4


# ---------------------------------------------------------------- hold, release, remove


@pytest.mark.parametrize("command", [["hold"], ["release"], ["remove", "--yes"]], ids=" ".join)
def test_what_changes_the_queue_must_say_which_recipients(installation, two_shards, command):
    before = states(installation)

    result = installation.run("queue", *command)

    assert result.exit_code == 2
    assert "say which recipients" in result.stderr
    assert states(installation) == before


def test_shards_without_a_worker_are_held_released_and_emptied(installation, two_shards):
    held = installation.run("queue", "hold", "--account", "acme", "--reason", "asked by phone")
    while_held = states(installation)
    released = installation.run("queue", "release", "--domain", "x.example")
    after_release = states(installation)
    removed = installation.run("queue", "remove", "--account", "acme", "--yes", "--reason", "by their wish")

    assert [result.stderr for result in (held, released, removed)] == [
        "3 recipients held.\n", "2 recipients released.\n", "3 recipients removed.\n",
    ]  # fmt: skip
    assert while_held == {"a@x.example": "held", "b@y.example": "held", "c@x.example": "held", "d@z.example": "queued"}
    assert after_release == while_held | {"a@x.example": "queued", "c@x.example": "queued"}
    assert states(installation) == {"d@z.example": "queued"}
    story = installation.read_json("message", "show", two_shards[1].id)
    assert [(event["type"], event["detail"].get("reason")) for event in story["events"]] == [
        ("processed", None),
        ("held", "asked by phone"),
        ("released", None),
        ("dropped", "by their wish"),
    ]


def test_nothing_that_matches_is_no_failure(installation, two_shards):
    results = [
        installation.run("queue", *command, "--domain", "nobody.example")
        for command in (["hold"], ["release"], ["remove", "--yes"], ["remove"])
    ]

    assert [result.exit_code for result in results] == [0] * 4
    assert [result.stderr for result in results[::3]] == ["0 recipients held.\n", "Nothing matches.\n"]


@pytest.mark.parametrize(("answer", "status", "left"), [("n\n", 1, 4), ("y\n", 0, 3), ("", 1, 4)])
def test_removal_is_asked_about(installation, two_shards, answer, status, left):
    result = installation.run("queue", "remove", "--domain", "y.example", stdin=answer)

    assert "Remove 1 recipient for good?" in result.stderr
    assert (result.exit_code, len(recipients(installation))) == (status, left)


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "x" * 201], ids=["empty", "blank", "two lines", "long"])
def test_a_reason_must_be_one_to_read(installation, two_shards, reason):
    result = installation.run("queue", "hold", "--account", "acme", "--reason", reason)

    assert result.exit_code == 2
    assert "printable characters are needed" in result.stderr


async def test_running_workers_do_it_themselves(installation, acme, run_worker):
    rig = await run_worker(0)
    await rig.accept("a@x.example", "b@y.example", account=acme)

    held = await installation.run_beside("queue", "hold", "--account", "acme")
    assert set(rig.states().values()) == {HELD}
    released = await installation.run_beside("queue", "release", "--domain", "x.example")
    assert rig.states() == {"a@x.example": QUEUED, "b@y.example": HELD}
    removed = await installation.run_beside("queue", "remove", "--state", "held", "--yes")

    assert [result.stderr for result in (held, released, removed)] == [
        "2 recipients held.\n", "1 recipient released.\n", "1 recipient removed.\n",
    ]  # fmt: skip
    assert rig.states() == {"a@x.example": QUEUED}
    (lease,) = await rig.lease_recipients(1)
    assert [recipient.mailbox.local_part for recipient in lease.recipients] == ["a"]


async def test_an_attempt_under_way_is_not_removed_and_that_is_said(installation, acme, run_worker):
    rig = await run_worker(0)
    await rig.accept("a@x.example", account=acme)
    (lease,) = await rig.lease_recipients(1)

    result = await installation.run_beside("queue", "remove", "--account", "acme", "--yes")

    assert result.exit_code == 0
    assert "0 recipients removed." in result.stderr
    assert "Not removed: 1 recipient being tried" in result.stderr
    await rig.settle(lease, DELIVERED)


async def test_shards_in_trouble_are_named_and_keep_no_other_from_being_held(installation, acme, run_worker):
    healthy, closing = await run_worker(0), await run_worker(1)
    await healthy.accept("a@x.example", account=acme)
    await closing.queue.close()
    (installation.queue_dir / "shard-2.db").write_bytes(b"no database at all" * 1000)

    result = await installation.run_beside("queue", "hold", "--account", "acme")

    assert result.exit_code == 1
    assert "1 recipient held; it is NOT known to have happened in every shard" in result.stderr
    assert "shard 1: its worker answered: the queue's store is not available: closed" in result.stderr
    assert "shard-2.db is damaged" in result.stderr
    assert "shard 0" not in result.stderr
    assert set(healthy.states().values()) == {HELD}


def test_a_shard_of_another_version_is_named(installation, two_shards):
    with sqlite3.connect(installation.queue_dir / "shard-1.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    result = installation.run("queue", "hold", "--account", "acme")

    assert result.exit_code == 1
    assert "2 recipients held" in result.stderr
    assert "shard 1:" in result.stderr
    assert "version 99" in result.stderr


READING = {
    "queue list": ["queue", "list"],
    "queue summary": ["queue", "summary"],
    "queue show": ["queue", "show", "{message}"],
    "message show": ["message", "show", "{message}"],
    "books": ["books"],
    "events": ["events"],
}


def break_header(path):
    path.write_bytes(b"no database at all" * 1000)


def break_pages(path):
    """Leave what tells a database, and what it is read by first, as it is."""
    octets = bytearray(path.read_bytes())
    for start in range(8192, len(octets), 8192):
        octets[start : start + 4096] = b"\xff" * 4096
    path.write_bytes(bytes(octets))


@pytest.mark.parametrize("damage", [break_header, break_pages])
@pytest.mark.parametrize("command", READING)
def test_reading_command_leaves_a_damaged_shard_out_with_its_remedy_and_goes_on(installation, acme, command, damage):
    messages = {}
    for number in (0, 1):
        messages[number] = installation.shard(number).message(f"to{number}@x.example", account=acme)
        installation.fill(number, messages[number])
    damage(installation.queue_dir / "shard-0.db")
    arguments = [part.format(message=messages[1].id) for part in READING[command]]

    result = installation.run(*arguments)

    assert result.exit_code == 1
    assert "shard-0.db is damaged" in result.stderr
    assert ".recover" in result.stderr
    assert result.stderr.count("left out") == 1
    assert "acme" in result.stdout or "to1@x.example" in result.stdout


# ---------------------------------------------------------------- by the name it is in


@pytest.fixture
def in_two_names(installation, acme):
    rig = installation.shard(0)
    ours = rig.message("a@x.example", account=acme)
    other = replace(rig.message("b@x.example", account=acme), author=Mailbox(local_part="ann", domain="other.example"))
    installation.fill(0, ours, replace(other, envelope=replace(other.envelope, reverse_path=None)))


@pytest.mark.parametrize(
    ("sender", "found"),
    [
        ("other.example", ["b@x.example"]),
        ("OTHER.example", ["b@x.example"]),
        ("ann@other.example", ["b@x.example"]),
        ("bob@other.example", []),
        ("example.com", ["a@x.example"]),
    ],
)
def test_mail_is_found_by_the_name_it_is_in(installation, in_two_names, sender, found):
    assert recipients(installation, "--sender", sender) == found


def test_mail_in_a_name_is_held_and_released_alone(installation, in_two_names):
    held = installation.run("queue", "hold", "--sender", "other.example")
    while_held = states(installation)
    released = installation.run("queue", "release", "--sender", "ann@other.example")

    assert (held.stderr, released.stderr) == ("1 recipient held.\n", "1 recipient released.\n")
    assert while_held == {"a@x.example": "queued", "b@x.example": "held"}
    assert set(states(installation).values()) == {"queued"}


@pytest.mark.parametrize("sender", ["@", "a@", "exa mple.com"])
def test_what_is_no_name_is_refused(installation, sender):
    refused = installation.run("queue", "list", "--sender", sender)

    assert refused.exit_code == 2
    assert "--sender" in refused.stderr
