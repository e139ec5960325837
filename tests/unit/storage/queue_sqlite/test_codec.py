from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.codec import (
    Unreadable,
    decode_event,
    decode_head,
    decode_message,
    encode_detail,
    encode_event,
    encode_message,
    to_instant,
    to_milliseconds,
)

INSTANTS = st.integers(0, 2**43).map(to_instant)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
MAILBOXES = st.builds(Mailbox, local_part=TEXT, domain=TEXT)
MESSAGES = st.builds(
    QueuedMessage,
    id=TEXT.map(MessageId),
    account_id=TEXT.map(AccountId),
    key_id=TEXT.map(KeyId),
    author=MAILBOXES,
    envelope=st.builds(
        Envelope,
        reverse_path=st.none() | MAILBOXES,
        forward_paths=st.lists(MAILBOXES, min_size=1, max_size=5).map(tuple),
        needs_8bitmime=st.booleans(),
        needs_smtputf8=st.booleans(),
    ),
    origin=st.builds(Origin, protocol=TEXT, peer_address=TEXT, greeting=TEXT, tls=TEXT),
    content=st.binary(max_size=100).map(MemoryContent),
    accepted_at=INSTANTS,
)


def stored(message):
    """The row as ``MESSAGE_COLUMNS`` read it back: what is for the events alone is not among them."""
    *row, _processed_detail = encode_message(message)
    return (7, *row)


@given(message=MESSAGES)
def test_a_message_reads_back_as_it_was_written(message):
    assert decode_message(stored(message), spool=None) == message


@given(
    event=st.builds(
        Event,
        type=st.sampled_from(EventType),
        at=INSTANTS,
        account_id=TEXT.map(AccountId),
        key_id=TEXT.map(KeyId),
        message_id=TEXT.map(MessageId),
        recipient=MAILBOXES,
        detail=st.dictionaries(TEXT, TEXT, max_size=4),
    )
)
def test_an_event_reads_back_as_it_was_written(event):
    assert decode_event((*encode_event(event), None)) == event


@given(message=MESSAGES, data=st.data())
def test_no_altered_octet_of_envelope_or_content_goes_unnoticed(message, data):
    row = [*stored(message)]
    column = data.draw(st.sampled_from([index for index in (9, 10) if row[index]]))
    octets = bytearray(row[column])
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    row[column] = bytes(octets)

    with pytest.raises(Unreadable):
        decode_message(tuple(row), spool=None)


@given(octets=st.binary(max_size=60))
def test_garbage_is_unreadable_and_nothing_else(octets):
    try:
        decode_head(octets)
    except Unreadable:
        pass
    else:
        raise AssertionError("no sixty octets of chance are an envelope")


@pytest.mark.parametrize(
    ("instant", "milliseconds"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(2026, 11, 24, 12, 0, 0, 999_999, tzinfo=UTC), 1_795_521_600_999),
        (datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), 2**31 * 1000),
    ],
    ids=["epoch", "cut off, not rounded", "2038"],
)
def test_instants_are_unix_milliseconds(instant, milliseconds):
    assert to_milliseconds(instant) == milliseconds
    assert timedelta(0) <= instant - to_instant(milliseconds) < timedelta(milliseconds=1)


def test_words_of_a_peer_that_are_no_text_are_stored_all_the_same():
    assert encode_detail({"reply": "550 \udcff no"}) == '{"reply":"550 ? no"}'
