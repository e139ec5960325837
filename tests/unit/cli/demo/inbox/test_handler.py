import asyncio
from types import SimpleNamespace

import pytest

from gatepost.cli.demo.inbox.handler import InboxHandler
from gatepost.cli.demo.inbox.mailbox import Mailbox
from gatepost.entrypoints.smtp.ports import YES
from gatepost.primitives.secret import Secret
from gatepost.standards.address import Mailbox as Address
from gatepost.standards.smtp.events import (
    ContentEnded,
    ContentOffered,
    ContentReceived,
    CredentialOffered,
    RecipientOffered,
    SessionEnded,
    TransactionAborted,
    TransactionOffered,
)

MAIL = TransactionOffered(Address(local_part="ann", domain="example.test"), None, None, False)
RCPT = RecipientOffered(Address(local_part="bob", domain="inbox.test"))


@pytest.fixture
def mailbox(tmp_path):
    return Mailbox(tmp_path)


@pytest.fixture
def handler(mailbox, store_message):
    message = store_message()

    async def checks(octets, delivery, sender):
        return message.verdict

    view = SimpleNamespace(peer_address="127.0.0.1", greeting="relay.test", tls="TLSv1.3 X")
    return InboxHandler(view, mailbox=mailbox, checks=checks, clock=SimpleNamespace(now=lambda: message.delivery.at))


async def store(handler, *content):
    for event in (MAIL, RCPT, ContentOffered()):
        assert handler.handle(event) is YES
    for octets in content:
        assert handler.handle(ContentReceived(octets)) is None
    return await handler.handle(ContentEnded())


async def test_message_is_in_the_inbox_before_it_is_accepted(handler, mailbox):
    answer = await store(handler, b"A: b\r\n", b"\r\nx")

    (message,) = mailbox.list_newest()
    assert answer.reply.octets == b"250 2.0.0 Ok: message 1 of the inbox\r\n"
    assert message.path.read_bytes() == b"A: b\r\n\r\nx"
    assert (message.delivery.mail_from, message.delivery.recipients) == ("ann@example.test", ("bob@inbox.test",))


async def test_full_disk_is_the_peers_to_try_again(handler, mailbox):
    mailbox.folder.joinpath("1.eml").touch()  # as good as a full disk: it cannot be written

    answer = await store(handler, b"x")

    assert (answer.reply.code, mailbox.list_newest()) == (452, [])


@pytest.mark.parametrize("end", [TransactionAborted(), SessionEnded()])
async def test_what_was_collected_is_forgotten_at_an_end(handler, mailbox, end):
    for event in (MAIL, RCPT, ContentReceived(b"first")):
        handler.handle(event)
    handler.handle(end)
    await store(handler, b"second")

    (message,) = mailbox.list_newest()
    assert message.path.read_bytes() == b"second"
    assert message.delivery.recipients == ("bob@inbox.test",)


def test_nobody_authenticates_here(handler):
    answer = handler.handle(CredentialOffered("PLAIN", "a", Secret(b"b")))

    assert answer.reply.code == 502
    assert not asyncio.iscoroutine(answer)
