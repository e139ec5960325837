"""Requests that name themselves: carried out once, whoever carries them out, and whatever ends in between."""

import asyncio
import subprocess
import sys
from datetime import timedelta

import pytest

from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import KeyId
from gatepost.storage.request_ledger import RequestLedger

SEND = "/v3/mail/send"
NAMED = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}

CLAIM_AND_WAIT = """
import sys
from pathlib import Path
from gatepost.storage.request_ledger import RequestLedger

with RequestLedger(Path(sys.argv[1])).claim(sys.argv[2], sys.argv[3]):
    print("claimed", flush=True)
    sys.stdin.read()
"""


def body(**members):
    return {
        "personalizations": [{"to": [{"email": "bob@dest.test"}]}],
        "from": {"email": "ann@example.com"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    } | members


@pytest.fixture
def account(api):
    account = api.account("acme")
    api.claims.holders |= {"example.com": account}
    return account


@pytest.fixture
def key(api, account):
    return api.key(account, "mail.send")


def accepted(api):
    return api.queue.counters.accepted_messages


async def test_the_same_request_gets_the_same_answer_and_is_queued_once(api, key):
    replies = [await api.ask("POST", SEND, body(), key=key, headers=NAMED) for _ in range(3)]

    assert [reply.status for reply in replies] == [202] * 3
    assert len({reply.headers["x-message-id"] for reply in replies}) == 1
    assert accepted(api) == 1


async def test_several_messages_of_one_request_are_queued_once(api, key):
    request = body(personalizations=[{"to": [{"email": f"u{number}@dest.test"}]} for number in range(3)])

    first, again = [await api.ask("POST", SEND, request, key=key, headers=NAMED) for _ in range(2)]

    assert first.headers["x-message-id"] == again.headers["x-message-id"]
    assert accepted(api) == 3


async def test_the_same_name_for_another_body_is_refused(api, key):
    await api.ask("POST", SEND, body(), key=key, headers=NAMED)

    reply = await api.ask("POST", SEND, body(subject="Other"), key=key, headers=NAMED)

    assert (reply.status, reply.errors[0][0]) == (422, "Idempotency-Key")
    assert accepted(api) == 1


async def test_quotes_around_the_name_are_not_part_of_it(api, key):
    await api.ask("POST", SEND, body(), key=key, headers={"Idempotency-Key": "abc"})

    reply = await api.ask("POST", SEND, body(), key=key, headers={"Idempotency-Key": '"abc"'})

    assert (reply.status, accepted(api)) == (202, 1)


@pytest.mark.parametrize("name", ["", " ", "a" * 256, "ü", '"', 'a"b', '""', "a\x7f"])
async def test_a_name_that_is_none_is_refused(api, key, name):
    reply = await api.ask("POST", SEND, body(), key=key, headers={"Idempotency-Key": name or '""'})

    assert (reply.status, [field for field, _ in reply.errors]) == (400, ["Idempotency-Key"])
    assert accepted(api) == 0


async def test_another_key_has_names_of_its_own(api, account, key):
    other = api.key(account, "mail.send")

    replies = [await api.ask("POST", SEND, body(), key=each, headers=NAMED) for each in (key, other)]

    assert [reply.status for reply in replies] == [202, 202]
    assert accepted(api) == 2


async def test_after_24_hours_a_name_is_forgotten(api, key):
    await api.ask("POST", SEND, body(), key=key, headers=NAMED)
    api.clock.instant += timedelta(hours=24, seconds=1)

    reply = await api.ask("POST", SEND, body(subject="Other"), key=key, headers=NAMED)

    assert (reply.status, accepted(api)) == (202, 2)


@pytest.mark.parametrize("members", [{"subject": ""}, {"from": {"email": "ceo@victim.example"}}], ids=["400", "403"])
async def test_a_refused_request_is_not_remembered(api, account, key, members):
    refused = await api.ask("POST", SEND, body(**members), key=key, headers=NAMED)

    mended = await api.ask("POST", SEND, body(), key=key, headers=NAMED)

    assert (refused.status in {400, 403}, mended.status, accepted(api)) == (True, 202, 1)


async def test_a_request_that_could_not_be_stored_may_be_made_again(api, key):
    app = api.build()
    accept_all = api.queue.accept_all

    async def fail(*_, **__):
        raise Transient("no room")

    api.queue.accept_all = fail
    failed = await api.ask("POST", SEND, body(), key=key, headers=NAMED, app=app)
    api.queue.accept_all = accept_all
    again = await api.ask("POST", SEND, body(), key=key, headers=NAMED, app=app)

    assert (failed.status, again.status, accepted(api)) == (503, 202, 1)


async def test_the_sandbox_remembers_nothing(api, key):
    tried = body(mail_settings={"sandbox_mode": {"enable": True}})

    assert (await api.ask("POST", SEND, tried, key=key, headers=NAMED)).status == 200
    assert (await api.ask("POST", SEND, body(), key=key, headers=NAMED)).status == 202


async def test_of_many_at_the_same_time_one_is_carried_out(api, key):
    app = api.build()

    replies = await asyncio.gather(*[api.ask("POST", SEND, body(), key=key, headers=NAMED, app=app) for _ in range(20)])

    assert accepted(api) == 1
    assert {reply.status for reply in replies} == {202, 409}
    assert {reply.headers.get("retry-after") for reply in replies if reply.status == 409} == {"1"}
    assert len({reply.headers["x-message-id"] for reply in replies if reply.status == 202}) == 1


async def test_who_goes_away_leaves_a_claim_until_it_is_known_what_was_committed(api, key):
    app = api.build()
    accept_all, gate, begun = api.queue.accept_all, asyncio.Event(), asyncio.Event()

    async def accept_late(*arguments, **more):
        begun.set()
        await gate.wait()
        await accept_all(*arguments, **more)

    api.queue.accept_all = accept_late
    gone = asyncio.create_task(api.ask("POST", SEND, body(), key=key, headers=NAMED, app=app))
    await begun.wait()
    gone.cancel()
    await asyncio.wait([gone])

    meanwhile = await api.ask("POST", SEND, body(), key=key, headers=NAMED, app=app)
    gate.set()
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while (later := await api.ask("POST", SEND, body(), key=key, headers=NAMED, app=app)).status == 409:
            await asyncio.sleep(0.01)

    assert (meanwhile.status, later.status, accepted(api)) == (409, 202, 1)


# ---------------------------------------------------------------- other processes


async def test_another_process_answers_as_the_first_did(api, key, tmp_path):
    first = await api.ask("POST", SEND, body(), key=key, headers=NAMED)
    other = RequestLedger(tmp_path / "queue")

    found = other.find(KeyId(key.split(".")[1]), NAMED["Idempotency-Key"], api.clock.instant - timedelta(hours=24))

    other.close()
    assert found is not None
    assert found.message_id == first.headers["x-message-id"]


async def test_what_another_process_carries_out_is_under_way_until_that_ends_however_it_does(api, key, tmp_path):
    command = [
        sys.executable,
        "-c",
        CLAIM_AND_WAIT,
        str(tmp_path / "queue"),
        key.split(".")[1],
        NAMED["Idempotency-Key"],
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"claimed\n"

        meanwhile = await api.ask("POST", SEND, body(), key=key, headers=NAMED)
        other.kill()
        other.wait(10)
        later = await api.ask("POST", SEND, body(), key=key, headers=NAMED)

    assert (meanwhile.status, later.status, accepted(api)) == (409, 202, 1)


async def test_a_shard_that_cannot_be_read_means_that_it_cannot_be_known(api, key, tmp_path):
    (tmp_path / "queue" / "shard-9.db").write_bytes(b"no database" * 1000)

    reply = await api.ask("POST", SEND, body(), key=key, headers=NAMED)

    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert accepted(api) == 0
