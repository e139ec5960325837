"""The judge itself: each planted fault is found, and nothing else."""

from collections import Counter
from dataclasses import replace

import pytest
from tests.faults.checker import Rules, judge, longest_settling
from tests.faults.history import Answer, Copy, History, Kill, Settled, Submission, digest, read_copy

from gatepost.mailflow.queue.recipient import Books
from gatepost.primitives.ids import AccountId

BOOKS = Books(account_id=AccountId("acc"), accepted=2, delivered=2, bounced=0, dropped=0, expired=0, queued=0, held=0)
SENT = Submission(
    uid="m1", recipients=("a@dest.test", "b@dest.test"), digest=digest(b"one"), answer=Answer.ACCEPTED, at=1.0
)
COPY = Copy(
    uid="m1",
    recipients=("a@dest.test", "b@dest.test"),
    digest=digest(b"one"),
    added=("dkim-signature", "received"),
    at=2.0,
    answered_at=2.0,
    pid=7,
)
SECOND = replace(COPY, at=5.0, answered_at=5.0, pid=8)
TWICE = [COPY, SECOND]


def history(**changes):
    """A run in which one message for two came as it should, with changes."""
    parts = {
        "submissions": [SENT],
        "copies": [COPY],
        "endings": {"a@dest.test": "delivered", "b@dest.test": "delivered"},
        "books": [BOOKS],
        "events": Counter(processed=2, delivered=2),
    }
    return History(**(parts | changes))


def words(run, rules=None):
    return sorted({violation.split(":")[0] for violation in judge(run, rules).violations})


def test_a_run_without_a_fault_is_clean():
    verdict = judge(history())

    assert verdict.violations == ()
    assert (verdict.accepted, verdict.duplicates) == (1, 0)


QUEUED = {
    "endings": {"a@dest.test": "queued", "b@dest.test": "queued"},
    "copies": [],
    "books": [replace(BOOKS, delivered=0, queued=2)],
    "events": Counter(processed=2),
}
REFUSED = [replace(SENT, answer=Answer.REFUSED)]
NOT_ACCEPTED = {"books": [replace(BOOKS, accepted=0, delivered=0)], "events": Counter(), "endings": {}}

CASES = {
    "delivered to nobody": ({"copies": []}, ["lost"]),
    "forgotten": ({"copies": [], "endings": {}}, ["lost"]),
    "only one of two came": ({"copies": [replace(COPY, recipients=("a@dest.test",))]}, ["lost"]),
    "the dot was refused": ({"copies": [replace(COPY, is_taken=False)]}, ["lost"]),
    "twice": ({"copies": [COPY, COPY]}, ["duplicate"]),
    "three times with one excuse": ({"copies": [COPY, COPY, replace(COPY, is_answered=False)]}, ["duplicate"]),
    "twice, long before its sender was killed": ({"copies": TWICE, "kills": [Kill(pid=7, at=9.0)]}, ["duplicate"]),
    "twice, while another process was killed": ({"copies": TWICE, "kills": [Kill(pid=9, at=2.1)]}, ["duplicate"]),
    "twice, written down before its sender was killed": (
        {"copies": TWICE, "kills": [Kill(pid=7, at=2.1)], "settled": {"a@dest.test": [Settled(pid=7, at=2.05)]}},
        ["duplicate"],
    ),
    "three times, its sender killed once": (
        {"copies": [*TWICE, SECOND], "kills": [Kill(pid=7, at=2.1)]},
        ["duplicate"],
    ),
    "of nobody": ({"copies": [COPY, replace(COPY, uid="m9")]}, ["ghost"]),
    "came though refused": ({"submissions": REFUSED, **NOT_ACCEPTED}, ["ghost"]),
    "came though aborted": ({"submissions": [replace(SENT, answer=Answer.ABORTED)], **NOT_ACCEPTED}, ["ghost"]),
    "to a stranger": ({"copies": [COPY, replace(COPY, recipients=("eve@dest.test",))]}, ["ghost"]),
    "other octets": ({"copies": [replace(COPY, digest=digest(b"two"))]}, ["altered"]),
    "a field too many in front": ({"copies": [replace(COPY, added=("received", "bcc"))]}, ["altered"]),
    "unsigned and untraced": ({"copies": [replace(COPY, added=())]}, ["altered"]),
    "still queued": (QUEUED, ["stuck"]),
    "books out by one": ({"books": [replace(BOOKS, delivered=1)]}, ["books"]),
    "no books": ({"books": []}, ["books"]),
    "an event too few": ({"events": Counter(processed=2, delivered=1)}, ["books"]),
    "more accepted than was said": (
        {"books": [replace(BOOKS, accepted=3, queued=1)], "events": Counter(processed=3, delivered=2)},
        ["books"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_planted_fault_is_found_and_nothing_else(name):
    changes, expected = CASES[name]

    assert words(history(**changes)) == expected


UNKNOWN = [replace(SENT, answer=Answer.UNKNOWN)]
BOUNCED = {
    "copies": [],
    "endings": dict.fromkeys(SENT.recipients, "bounced"),
    "books": [replace(BOOKS, delivered=0, bounced=2)],
    "events": Counter(processed=2, bounce=2),
}
ALLOWED = {
    "a second copy after an unanswered dot": {"copies": [replace(COPY, is_answered=False), COPY]},
    "a second copy after a kill": {"copies": TWICE, "kills": [Kill(pid=7, at=2.5)]},
    "a second copy of what the sink read after its sender was killed": {
        "copies": TWICE,
        "kills": [Kill(pid=7, at=1.9)],
    },
    "a second copy, written down by the second sender": {
        "copies": TWICE,
        "kills": [Kill(pid=7, at=2.5)],
        "settled": {address: [Settled(pid=8, at=5.1)] for address in SENT.recipients},
    },
    "nothing heard, and delivered": {"submissions": UNKNOWN},
    "nothing heard, and not there": {"submissions": UNKNOWN, "copies": [], **NOT_ACCEPTED},
    "bounced": BOUNCED,
    "two copies for one recipient each": {
        "copies": [replace(COPY, recipients=("a@dest.test",)), replace(COPY, recipients=("b@dest.test",))]
    },
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_is_clean(name):
    assert words(history(**ALLOWED[name])) == []


def test_what_may_stay_queued_is_not_stuck():
    assert words(history(**QUEUED), Rules(may_stay=True)) == []


def test_how_long_a_delivery_was_not_written_down_is_told():
    verdict = judge(history(copies=TWICE, kills=[Kill(pid=7, at=2.5), Kill(pid=9, at=9.0)]))

    assert (verdict.duplicates, verdict.oldest_excuse) == (2, 0.5)


def test_how_long_writing_down_takes_is_told_by_the_sender_alone():
    settled = {"a@dest.test": [Settled(pid=7, at=2.5)], "b@dest.test": [Settled(pid=8, at=9.0)]}

    assert longest_settling(history(settled=settled)) == 0.5


def test_a_copy_is_taken_apart_where_our_first_field_begins():
    copy = read_copy(
        b"DKIM-Signature: v=1;\r\n b=x:y\r\nReceived: from a\r\nX-Fault-Id: m1\r\nTo: b\r\n\r\nhello\r\n",
        ("b@x",),
        at=1.0,
    )

    assert (copy.uid, copy.added) == ("m1", ("dkim-signature", "received"))
    assert copy.digest == digest(b"X-Fault-Id: m1\r\nTo: b\r\n\r\nhello\r\n")


def test_a_copy_without_our_first_field_is_nobodys():
    assert read_copy(b"Received: from a\r\n\r\nX\r\n", ("b@x",), at=1.0).uid == ""
