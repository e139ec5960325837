"""What every request meets, whatever it asks for."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest

from gatepost.entrypoints.api.endpoint import BodyBudget
from gatepost.entrypoints.api.operation import Answer, Operation
from gatepost.primitives.errors import Permanent, Transient

SEND = "/v3/mail/send"


@pytest.fixture
def key(api):
    return api.key(api.account("acme"), "mail.send")


@pytest.mark.parametrize("path", ["/", "/v3", "/v3/nope", "/v3/mail/send/", "/v3/api_keys/a/b", "/v3/%2e%2e/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_not_found(api, key, method, path):
    reply = await api.ask(method, path, key=key)

    assert (reply.status, reply.errors) == (404, [(None, "not found")])


@pytest.mark.parametrize(
    ("method", "path", "allowed", "message"),
    [
        ("GET", SEND, "POST", "POST method allowed only"),
        ("DELETE", "/v3/api_keys", "GET, POST", "method not allowed"),
        ("HEAD", "/v3/scopes", "GET", "method not allowed"),
        ("OPTIONS", SEND, "POST", "POST method allowed only"),
    ],
)
async def test_a_method_that_the_path_does_not_have(api, key, method, path, allowed, message):
    reply = await api.ask(method, path, key=key)

    assert (reply.status, reply.headers["allow"], reply.errors) == (405, allowed, [(None, message)])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "Permission denied, wrong credentials"),
        ("Bearer nonsense", "Permission denied, wrong credentials"),
        ("Basic " + b64encode(b"ann:secret").decode(), "Permission denied, wrong credentials"),
        (
            "Bearer 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",
            "The provided authorization grant is invalid, expired, or revoked",
        ),
    ],
)
async def test_without_a_valid_key_nothing_is_read_of_the_body(api, header, message):
    reply = await api.ask("POST", SEND, b"{", headers={"Authorization": header})

    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.errors == [(None, message)] or message.startswith("The provided")


async def test_basic_authentication_with_a_key_is_taken_too(api, key):
    header = "Basic " + b64encode(f"apikey:{key}".encode()).decode()

    reply = await api.ask("GET", "/v3/scopes", headers={"Authorization": header})

    assert (reply.status, reply.json) == (200, {"scopes": ["mail.send"]})


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Content-Type": "text/plain"}, "Content-Type should be application/json."),
        ({"Content-Type": ""}, "Content-Type should be application/json."),
        ({"Content-Encoding": "gzip"}, "Content-Encoding is not supported: send the body as it is."),
    ],
)
async def test_only_plain_json_is_taken(api, key, headers, message):
    reply = await api.ask("POST", SEND, {}, key=key, headers=headers)

    assert (reply.status, reply.errors) == (415, [(None, message)])


async def test_a_charset_beside_the_content_type_is_taken(api, key):
    reply = await api.ask("POST", SEND, {}, key=key, headers={"Content-Type": "Application/JSON; charset=utf-8"})

    assert reply.status == 400


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [(b"{", 400, "Bad Request"), (b"", 400, "Bad Request"), (b'{"subject": "\xff"}', 415, "Invalid UTF8 in request")],
)
async def test_what_is_no_json(api, key, body, status, message):
    reply = await api.ask("POST", SEND, body, key=key)

    assert (reply.status, reply.errors) == (status, [(None, message)])


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "", "Transfer-Encoding": "chunked"}])
async def test_a_body_beyond_the_limit_is_too_large_and_ends_the_connection(api, key, headers):
    api.max_body_octets = 100_000

    reply = await api.ask("POST", SEND, b" " * 100_001, key=key, headers=headers)

    assert (reply.status, reply.errors) == (413, [(None, "content too large")])
    assert reply.headers["connection"] == "close"


async def test_bodies_beyond_the_memory_for_all_are_to_come_again(api, key):
    api.budget = BodyBudget(50_000)

    refused = await api.ask("POST", SEND, b" " * 90_000, key=key)

    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert api.budget.take(50_000)


async def test_a_body_that_does_not_come_in_time_is_given_up(api, key):
    api.body_timeout = timedelta(milliseconds=20)
    app = api.build()
    sent = []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": SEND, "query_string": b"", "client": ("192.0.2.1", 1),
        "root_path": "",
        "headers": [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")],
    }  # fmt: skip
    async with asyncio.timeout(10):
        await app(scope, receive, send)

    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_a_key_beyond_its_rate_is_told_when_to_come_again(api, key):
    api.requests_at_once = 2
    app = api.build()

    replies = [await api.ask("GET", "/v3/scopes", key=key, app=app) for _ in range(3)]

    assert [reply.status for reply in replies] == [200, 200, 429]
    assert [reply.headers["x-ratelimit-remaining"] for reply in replies] == ["1", "0", "0"]
    assert replies[0].headers["x-ratelimit-limit"] == "2"
    assert int(replies[0].headers["x-ratelimit-reset"]) == int(api.clock.now().timestamp()) + 1
    assert (replies[2].headers["retry-after"], replies[2].errors) == ("1", [(None, "too many requests")])


async def test_wrong_keys_without_end_are_not_looked_at_any_more(api, key):
    wrong = [await api.ask("GET", "/v3/scopes", key="SG.x.y", peer="198.51.100.7") for _ in range(4)]
    app = api.build()
    for _ in range(10):
        api.control.principals._throttle.penalize(ip_address("198.51.100.7"), None, api.clock.now())

    refused = await api.ask("GET", "/v3/scopes", key="SG.x.y", peer="198.51.100.8", app=app)
    elsewhere = await api.ask("GET", "/v3/scopes", key=key, peer="203.0.113.1", app=app)

    assert {reply.status for reply in wrong} == {401}
    assert (refused.status, refused.headers["retry-after"]) == (429, "60")
    assert elsewhere.status == 200


async def test_nobody_acts_for_a_subuser_that_is_not_there(api, key):
    reply = await api.ask("GET", "/v3/scopes", key=key, headers={"On-Behalf-Of": "sub"})

    assert reply.status == 403
    assert reply.errors[0][0] == "on-behalf-of"


@pytest.mark.parametrize(
    ("trouble", "status", "message"),
    [
        (RuntimeError("SG.secret in /etc/passwd"), 500, "internal server error"),
        (Transient("disk full at /var"), 503, "the service cannot store this at the moment; try again"),
        (Permanent("row too long in /var"), 500, "the message cannot be stored"),
    ],
)
async def test_trouble_inside_is_told_without_its_words(api, key, trouble, status, message):
    async def fail(_call):
        raise trouble

    failing = Operation(
        method="GET", path="/v3/failing", name="Fail", summary="Fail.", scope=None, run=fail, gives={200: None}
    )

    reply = await api.ask("GET", "/v3/failing", key=key, app=api.build(failing))

    assert (reply.status, reply.errors) == (status, [(None, message)])


async def test_a_client_that_goes_away_is_no_failure(api, key):
    started = []

    async def note(_call):
        started.append(1)
        return Answer(status=200)

    app = api.build(
        replace(
            next(operation for operation in api.operations() if operation.name == "SendMail"),
            path="/v3/noted", name="Note", run=note,
        )
    )  # fmt: skip
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v3/noted", "query_string": b"", "client": ("192.0.2.1", 1),
        "headers": [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")],
        "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)

    assert (started, sent) == ([], [])


async def test_a_refusal_with_a_large_unread_body_ends_the_connection(api):
    reply = await api.ask("POST", SEND, b" " * 70_000)
    small = await api.ask("POST", SEND, b" " * 60_000)

    assert (reply.status, reply.headers.get("connection")) == (401, "close")
    assert (small.status, small.headers.get("connection")) == (401, None)


async def test_the_openapi_document_is_for_everybody(api):
    reply = await api.ask("GET", "/v3/openapi.json")

    assert reply.status == 200
    assert set(reply.json["paths"]) == {operation.path for operation in api.operations()}
