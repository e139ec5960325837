import asyncio
from datetime import timedelta

import pytest

from gatepost.mailflow.queue.recipient import RecipientState

QUEUED, DELIVERED, BOUNCED = (RecipientState(name) for name in ("queued", "delivered", "bounced"))


@pytest.fixture
def attempted(installation, acme):
    """A message with three recipients, after one attempt for each: delivered, bounced, deferred."""

    async def attempt():
        rig = installation.shard(1)
        await rig.start()
        message = await rig.accept("a@x.example", "b@x.example", "c@x.example", account=acme)
        (lease,) = await rig.lease_recipients(3)
        rig.clock.advance(timedelta(seconds=5))
        await rig.settle(lease, DELIVERED, BOUNCED, QUEUED, reply="the peer's words")
        await rig.queue.close()
        return message

    installation.fill(0)
    return asyncio.run(attempt())


def test_a_message_is_told_from_its_acceptance_to_now(installation, attempted, acme):
    story = installation.read_json("message", "show", attempted.id)

    assert (story["id"], story["account"], story["account_id"]) == (attempted.id, "acme", acme)
    assert (story["key_id"], story["author"], story["reverse_path"]) == (
        "key-1", "news@example.com", "<news@example.com>",
    )  # fmt: skip
    assert (story["client"], story["tls"], story["accepted_at"]) == ("192.0.2.1", "TLSv1.3", "2026-11-24T12:00:00Z")
    assert [(each["recipient"], each["state"], each["next_attempt_at"]) for each in story["recipients"]] == [
        ("a@x.example", "delivered", None),
        ("b@x.example", "bounced", None),
        ("c@x.example", "queued", "2026-11-24T12:01:05Z"),
    ]
    assert {each["last_reply"] for each in story["recipients"]} == {"the peer's words"}
    assert story["recipients"][2]["attempts"] == 1
    assert [(event["type"], event["recipient"]) for event in story["events"]] == [
        *[("processed", f"{name}@x.example") for name in "abc"],
        ("delivered", "a@x.example"), ("bounce", "b@x.example"), ("deferred", "c@x.example"),
    ]  # fmt: skip
    assert story["events"][-1]["at"] == "2026-11-24T12:00:05.000Z"
    assert story["events"][-1]["detail"] == {"reply": "the peer's words"}


def test_the_story_is_readable(installation, attempted):
    result = installation.run("message", "show", attempted.id)

    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert [line.split() for line in lines[:2]] == [["id", attempted.id], ["account", "acme"]]
    assert "c@x.example  queued     1         2026-11-24T12:01:05Z  the peer's words" in lines
    assert "2026-11-24T12:00:05Z  bounce     b@x.example  reply: the peer's words" in lines


def test_the_key_is_named(installation, acme):
    made = installation.run("key", "create", "--account", "acme", "--name", "shop", "--scope", "mail.send")
    message = installation.shard(0).message(account=acme, key=made.stdout.split(".")[1])
    installation.fill(0, message)

    assert installation.read_json("message", "show", message.id)["key"] == "shop"


def test_the_story_outlives_the_queue(installation, attempted):
    installation.run("queue", "remove", "--message", attempted.id, "--yes")

    story = installation.read_json("message", "show", attempted.id)
    result = installation.run("message", "show", attempted.id)

    assert [(each["recipient"], each["state"]) for each in story["recipients"]] == [
        ("a@x.example", "delivered"),
        ("b@x.example", "bounced"),
        ("c@x.example", "dropped"),
    ]
    assert story["recipients"][2]["last_reply"] == "removed by operator"
    assert (story["account"], story["accepted_at"]) == ("acme", "2026-11-24T12:00:00Z")
    assert (story["author"], story["client"]) == (str(attempted.author), attempted.origin.peer_address)
    assert story["size_octets"] == attempted.content.size_octets
    assert story["events"][-1]["type"] == "dropped"
    assert "It has left the queue" in result.stderr
    assert "dropped" in result.stdout


def test_an_unknown_message_is_a_clear_error(installation, attempted):
    result = installation.run("message", "show", "AAAAAAAAAAAAAAAAAAAAAA")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no message 'AAAAAAAAAAAAAAAAAAAAAA'" in result.stderr
    assert "queued as" in result.stderr
