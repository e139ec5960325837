"""mail/send up to the queue: what is accepted is there, whole, or nothing is."""

import asyncio
import email
import email.policy
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.entrypoints.api.v3.mail_send_body import MailSend
from gatepost.entrypoints.api.v3.mail_send_option_checks import Circumstances, find_errors
from gatepost.primitives.ids import KeyId
from gatepost.standards.message.author import find_author
from gatepost.standards.message.header import parse_header_section

SEND = "/v3/mail/send"
PLACE = Circumstances(now=datetime(2026, 3, 1, tzinfo=UTC), is_batch=lambda _: False)
TEXT = st.text(max_size=30) | st.text(alphabet='\r\n\0 :;,<>@"=?ü\u2028ab', max_size=20)


def body(*recipients, **members):
    return {
        "personalizations": [{"to": [{"email": each}]} for each in recipients or ["bob@dest.test"]],
        "from": {"email": "ann@example.com", "name": "Ann"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    } | members


@pytest.fixture
def account(api):
    account = api.account("acme")
    api.claims.holders |= {"example.com": account, "victim.example": api.account("victim")}
    return account


@pytest.fixture
def key(api, account):
    return api.key(account, "mail.send")


@pytest.fixture
def app(api):
    api.requests_at_once = 10_000
    return api.build()


async def queued(api, count):
    """Lease so many recipients; return their messages by id."""
    leases = []
    async with asyncio.timeout(10):
        while sum(len(lease.recipients) for lease in leases) < count:
            leases += await api.queue.lease(limit=100, room=lambda _: 1000)
    return {lease.message.id: lease.message for lease in leases}


def is_empty(api):
    return api.queue.counters.accepted_messages == 0


async def test_what_is_queued_is_what_was_asked_for(api, account, key):
    reply = await api.ask("POST", SEND, body("bob@dest.test", "carl@dest.test"), key=key, peer="2001:db8::1")

    messages = await queued(api, 2)
    first = messages[reply.headers["x-message-id"]]
    assert (reply.status, reply.octets, len(messages)) == (202, b"", 2)
    assert (first.account_id, first.key_id) == (account, KeyId(key.split(".")[1]))
    assert str(first.author) == str(first.envelope.reverse_path) == "ann@example.com"
    assert [str(path) for path in first.envelope.forward_paths] == ["bob@dest.test"]
    assert (first.origin.protocol, first.origin.peer_address) == ("HTTPS", "2001:db8::1")
    assert first.origin.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384"
    assert first.content.octets.endswith(b"\r\n\r\nHello\r\n")


@pytest.mark.parametrize(
    ("members", "status", "field"),
    [
        ({"from": {"email": "ceo@victim.example"}}, 403, "from"),
        ({"from": {"email": "x@nobodys.example"}}, 403, "from"),
        ({"from": {"email": "ann@example.com", "name": "ceo@victim.example"}}, 400, "from"),
        ({"headers": {"Sender": "ceo@victim.example"}}, 403, "headers"),
        ({"headers": {"Resent-From": "ceo@victim.example"}}, 403, "headers"),
        ({"headers": {"X-SMTPAPI": '{"category": "x"}'}}, 400, "headers.X-SMTPAPI"),
        ({"headers": {"X-A": "a" * 999}}, 400, "personalizations.0"),
        ({"personalizations": [{"to": [{"email": "a@b.test"}]}, {"to": [{"email": "a@[127.0.0.1]"}]}]}, 400,
         "personalizations.1"),
        ({"personalizations": [{"to": [{"email": "a@b.test"}], "substitutions": {"Hi": "x\r\nBcc: y@z.test"}}]}, 400,
         "personalizations.0"),
    ],
    ids=["foreign", "nobody's", "spoofed name", "sender", "resent", "x-smtpapi", "long word", "own name", "injected"],
)  # fmt: skip
async def test_what_the_one_door_refuses_is_told_with_its_field_and_nothing_is_kept(api, key, members, status, field):
    reply = await api.ask("POST", SEND, body("good@dest.test", **members), key=key)

    assert (reply.status, [at for at, _ in reply.errors]) == (status, [field])
    assert is_empty(api)


async def test_a_key_for_other_authors_is_refused(api, account):
    key = api.key(account, "mail.send", allowed_authors=("news@example.com",))

    reply = await api.ask("POST", SEND, body(), key=key)

    assert (reply.status, reply.errors[0][0]) == (403, "from")


async def test_a_thousand_personalizations_are_taken_together(api, key):
    reply = await api.ask("POST", SEND, body(*[f"u{number}@dest.test" for number in range(1000)]), key=key)

    assert reply.status == 202
    assert (api.queue.counters.accepted_messages, api.queue.counters.accepted_recipients) == (1000, 1000)
    assert api.queue.counters.groups == 1


@pytest.mark.parametrize("count", [1, 3])
async def test_a_queue_that_takes_nothing_is_told_as_passing_and_nothing_is_kept(api, key, count):
    app = api.build()
    await api.queue.close()

    reply = await api.ask("POST", SEND, body(*[f"u{n}@dest.test" for n in range(count)]), key=key, app=app)

    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert is_empty(api)


async def test_attachments_for_many_are_bounded_as_a_whole(api, key):
    attachment = {"content": "A" * 400_000, "filename": "a"}

    one = await api.ask("POST", SEND, body(attachments=[attachment]), key=key)
    many = await api.ask(
        "POST", SEND, body(*[f"u{n}@dest.test" for n in range(200)], attachments=[attachment]), key=key
    )

    assert (one.status, many.status) == (202, 413)
    assert api.queue.counters.accepted_messages == 1


async def test_a_message_larger_than_smtp_would_take_is_too_large(api, key):
    api.max_body_octets = 1 << 22

    reply = await api.ask("POST", SEND, body(attachments=[{"content": "A" * (1 << 20), "filename": "a"}]), key=key)

    assert reply.status == 413


async def test_an_address_beyond_ascii_travels_as_smtputf8(api, key):
    reply = await api.ask("POST", SEND, body("jörg@dest.test"), key=key)

    (message,) = (await queued(api, 1)).values()
    assert reply.status == 202
    assert message.envelope.needs_smtputf8


async def test_a_key_that_is_revoked_while_its_request_is_read_sends_nothing(api, account, key):
    app = api.build()
    check = api.control.principals.authenticate

    def authenticate_then_lose(*arguments, **more):
        principal = check(*arguments, **more)
        api.control.keys.revoke(account, KeyId(key.split(".")[1]), api.clock.now())
        return principal

    api.control.principals.authenticate = authenticate_then_lose

    reply = await api.ask("POST", SEND, body(), key=key, app=app)

    assert reply.status == 401
    assert is_empty(api)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    texts=st.fixed_dictionaries(
        dict.fromkeys(("from", "to", "subject", "text", "header", "value", "file", "cid", "tag", "sub"), TEXT)
    )
)
async def test_no_text_anywhere_makes_a_header_a_recipient_or_an_author_of_its_own(api, key, app, texts):
    request = body(
        personalizations=[
            {"to": [{"email": "bob@dest.test", "name": texts["to"]}], "substitutions": {texts["tag"]: texts["sub"]}}
        ],
        **{"from": {"email": "ann@example.com", "name": texts["from"]}},
        subject=texts["subject"],
        content=[{"type": "text/plain", "value": texts["text"]}],
        headers={texts["header"]: texts["value"]},
        attachments=[{"content": "aGk=", "filename": texts["file"], "content_id": texts["cid"]}],
    )
    reply = await api.ask("POST", SEND, _without_refused(request), key=key, app=app)

    assert reply.status in {202, 400}
    if reply.status == 202:
        (message,) = (await queued(api, 1)).values()
        section, _ = parse_header_section(message.content.octets)
        known = {b"from", b"to", b"subject", b"mime-version", b"content-type", b"content-transfer-encoding"}
        assert {field.name for field in section.fields} <= known | {texts["header"].encode().lower()}
        assert str(find_author(section)) == "ann@example.com"
        assert [str(path) for path in message.envelope.forward_paths] == ["bob@dest.test"]
        read = email.message_from_bytes(message.content.octets, policy=email.policy.compat32)
        assert [part.get_content_type() for part in read.walk()] in (
            ["multipart/mixed", "text/plain", "application/octet-stream"],
            ["text/plain"],
        )


def _without_refused(request):
    """Leave out each member that is refused for itself, so that the others are tried all the same."""
    wrong = {error.field for error in find_errors(msgspec.convert(request, MailSend), PLACE)}
    first = request["personalizations"][0]
    if "from.name" in wrong:
        del request["from"]["name"]
    if "personalizations.0.to.0.name" in wrong:
        del first["to"][0]["name"]
    if "subject" in wrong:
        request["subject"] = "Hi"
    if "content.0.value" in wrong:
        request["content"][0]["value"] = "Hello"
    if any(field.startswith("headers") for field in wrong):
        del request["headers"]
    if any(field.startswith("attachments") for field in wrong):
        del request["attachments"]
    if "personalizations.0.substitutions" in wrong:
        del first["substitutions"]
    return request
