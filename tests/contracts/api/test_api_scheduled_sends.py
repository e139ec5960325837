"""mail/batch and user/scheduled_sends, with mail/send up to the queue."""

from datetime import timedelta

import pytest
from tests.contracts.api.conftest import PEER, key_id

from gatepost.mailflow.queue.recipient import Predicate, RecipientState
from gatepost.mailflow.queue.start import start_due
from gatepost.storage.queue_sqlite.reader import QueueReader
from gatepost.tenancy.audit.entry import Act

SEND, BATCH, SCHEDULED = "/v3/mail/send", "/v3/mail/batch", "/v3/user/scheduled_sends"
SCOPES = [
    f"{name}.{verb}"
    for name in ("mail.batch", "user.scheduled_sends")
    for verb in ("create", "read", "update", "delete")
]


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
    return api.key(account, "mail.send", *SCOPES)


@pytest.fixture
async def batch(api, key):
    return (await api.ask("POST", BATCH, key=key)).json["batch_id"]


def at(api, **after):
    return int((api.clock.instant + timedelta(**after)).timestamp())


async def start(api):
    return await start_due(api.queue, api.control.batch_statuses, api.clock.instant)


def states(api, tmp_path):
    reader = QueueReader(tmp_path / "queue" / "shard-0.db")
    try:
        return [row.state for row in reader.list_recipients(Predicate(), limit=100)]
    finally:
        reader.close()


async def test_a_batch_id_is_made_and_checked(api, key):
    made = await api.ask("POST", BATCH, key=key)

    assert (made.status, list(made.json)) == (201, ["batch_id"])
    batch = made.json["batch_id"]
    found = await api.ask("GET", f"{BATCH}/{batch}", key=key)
    assert (found.status, found.json) == (200, {"batch_id": batch})


async def test_a_batch_id_is_valid_for_ten_days_and_for_its_account(api, key, batch):
    stranger = api.key(api.account("other"), *SCOPES)

    foreign = await api.ask("GET", f"{BATCH}/{batch}", key=stranger)
    api.clock.instant += timedelta(days=10)
    old = await api.ask("GET", f"{BATCH}/{batch}", key=key)

    for reply in (foreign, old):
        assert (reply.status, reply.errors) == (400, [("batch_id", "invalid batch id")])


@pytest.mark.parametrize("whose", ["nobody's", "another's"])
async def test_mail_cannot_be_put_into_a_batch_that_is_not_the_accounts(api, key, whose):
    theirs = await api.ask("POST", BATCH, key=api.key(api.account("other"), *SCOPES))
    batch = theirs.json["batch_id"] if whose == "another's" else "nobody's"

    reply = await api.ask("POST", SEND, body(batch_id=batch), key=key)

    assert (reply.status, [field for field, _ in reply.errors]) == (400, ["batch_id"])
    assert api.queue.counters.accepted_messages == 0


async def test_mail_for_later_is_accepted_at_once_and_waits(api, key, tmp_path):
    reply = await api.ask("POST", SEND, body(send_at=at(api, hours=72)), key=key)

    assert reply.status == 202
    assert states(api, tmp_path) == [RecipientState.SCHEDULED]
    assert await start(api) == 0


@pytest.mark.parametrize("when", ["before the mail", "after the mail"])
async def test_a_cancelled_batch_is_never_delivered(api, key, batch, tmp_path, when):
    async def cancel():
        return await api.ask("POST", SCHEDULED, {"batch_id": batch, "status": "cancel"}, key=key)

    async def send():
        return await api.ask("POST", SEND, body(batch_id=batch, send_at=at(api, hours=1)), key=key)

    replies = [await act() for act in ((cancel, send) if when == "before the mail" else (send, cancel))]
    api.clock.instant += timedelta(hours=1)

    assert {reply.status for reply in replies} == {201, 202}
    assert await start(api) == 1
    assert states(api, tmp_path) == []


async def test_a_decision_is_listed_shown_changed_and_taken_back(api, key, batch):
    one = f"{SCHEDULED}/{batch}"
    paused = {"batch_id": batch, "status": "pause"}

    assert (await api.ask("GET", one, key=key)).json == []
    made = await api.ask("POST", SCHEDULED, paused, key=key)
    assert (made.status, made.json) == (201, paused)
    assert (await api.ask("GET", SCHEDULED, key=key)).json == [paused]
    changed = await api.ask("PATCH", one, {"status": "cancel"}, key=key)
    assert (changed.status, changed.octets) == (204, b"")
    assert (await api.ask("GET", one, key=key)).json == [{"batch_id": batch, "status": "cancel"}]
    assert (await api.ask("DELETE", one, key=key)).status == 204
    assert (await api.ask("GET", SCHEDULED, key=key)).json == []


async def test_what_waits_of_a_batch_goes_out_once_its_decision_is_taken_back(api, key, batch, tmp_path):
    await api.ask("POST", SEND, body(batch_id=batch), key=key)
    await api.ask("POST", SCHEDULED, {"batch_id": batch, "status": "pause"}, key=key)
    assert await start(api) == 0

    await api.ask("DELETE", f"{SCHEDULED}/{batch}", key=key)

    api.clock.instant += timedelta(seconds=5)
    assert await start(api) == 1
    assert states(api, tmp_path) == [RecipientState.QUEUED]


@pytest.mark.parametrize(
    ("wanted", "errors"),
    [
        ({}, ["batch_id", "status"]),
        ({"batch_id": "x"}, ["status"]),
        ({"batch_id": "x", "status": "stop"}, ["status"]),
        ({"batch_id": "x", "status": "pause"}, ["batch_id"]),
        ({"batch_id": 1, "status": None}, ["batch_id", "status"]),
    ],
    ids=["nothing", "no status", "wrong status", "unknown batch", "wrong types"],
)
async def test_what_is_wrong_with_a_decision_is_told(api, key, wanted, errors):
    reply = await api.ask("POST", SCHEDULED, wanted, key=key)

    assert (reply.status, [field for field, _ in reply.errors]) == (400, errors)


async def test_a_batch_is_decided_about_once(api, key, batch):
    wanted = {"batch_id": batch, "status": "pause"}
    await api.ask("POST", SCHEDULED, wanted, key=key)

    reply = await api.ask("POST", SCHEDULED, wanted, key=key)

    assert (reply.status, reply.errors[0][1].endswith("try PATCH to update the status")) == (400, True)


async def test_a_hundred_batches_can_be_stopped_at_a_time(api, key):
    for number in range(101):
        batch = (await api.ask("POST", BATCH, key=key)).json["batch_id"]
        reply = await api.ask("POST", SCHEDULED, {"batch_id": batch, "status": "pause"}, key=key)
        assert reply.status == (201 if number < 100 else 400)

    assert len((await api.ask("GET", SCHEDULED, key=key)).json) == 100


@pytest.mark.parametrize(
    ("method", "change"),
    [("GET", None), ("PATCH", {"status": "pause"}), ("DELETE", None)],
    ids=["show", "change", "take back"],
)
async def test_another_accounts_batch_is_unknown(api, key, batch, method, change):
    await api.ask("POST", SCHEDULED, {"batch_id": batch, "status": "cancel"}, key=key)
    stranger = api.key(api.account("other"), *SCOPES)

    reply = await api.ask(method, f"{SCHEDULED}/{batch}", change, key=stranger)

    assert (reply.status, reply.errors) == (404, [("batch_id", "batch id not found")])
    assert (await api.ask("GET", SCHEDULED, key=key)).json == [{"batch_id": batch, "status": "cancel"}]


async def test_each_decision_is_in_the_audit_log_with_who_made_it(api, account, key, batch):
    one = f"{SCHEDULED}/{batch}"
    await api.ask("POST", SCHEDULED, {"batch_id": batch, "status": "pause"}, key=key)
    await api.ask("PATCH", one, {"status": "cancel"}, key=key)
    await api.ask("PATCH", one, {"status": "cancel"}, key=key)
    await api.ask("DELETE", one, key=key)
    await api.ask("DELETE", one, key=key)
    await api.ask("POST", SCHEDULED, {"batch_id": "unknown", "status": "pause"}, key=key)

    events = [each.event for each in api.control.audit.list_after(account, 0, 100)]
    decided = [each for each in events if each.subject == f"batch/{batch}"]
    assert [(each.act, each.before["status"], each.after["status"]) for each in decided] == [
        (Act.BATCH_PAUSED, None, "pause"),
        (Act.BATCH_CANCELLED, "pause", "cancel"),
        (Act.BATCH_RELEASED, "cancel", None),
    ]
    assert {(each.actor.id, each.actor.origin) for each in decided} == {(key_id(key), PEER)}
    assert not [each for each in events if each.subject.startswith("batch/") and each not in decided]
