from datetime import UTC, datetime

from gatepost.cli.demo.tail import format_event
from gatepost.mailflow.events.event import Event, EventType
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox


def event(kind, **detail):
    return Event(
        type=kind,
        at=datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),
        account_id=AccountId("acc_1"),
        key_id=KeyId("k"),
        message_id=MessageId("m"),
        recipient=Mailbox(local_part="bob", domain="inbox.test"),
        detail=detail,
    )


def test_delivery_is_one_line_with_the_peers_words():
    line = format_event(event(EventType.DELIVERED, reply="250 2.0.0 Ok"))

    assert line == "  03:04:05  delivered    bob@inbox.test            250 2.0.0 Ok"


def test_long_and_hostile_words_are_cut_and_cleaned():
    line = format_event(event(EventType.DEFERRED, reply="\x1b[2J" + "x" * 200))

    assert "\x1b" not in line
    assert len(line) <= 100
    assert line.endswith("…")


def test_reason_stands_in_for_a_reply():
    assert format_event(event(EventType.HELD, reason="key revoked")).endswith("  key revoked")


def test_acceptance_says_nothing_that_delivery_does_not():
    assert format_event(event(EventType.PROCESSED)) is None
