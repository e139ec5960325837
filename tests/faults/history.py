"""What a fault run writes down: what was sent and answered, what arrived, what the relay's own books say."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256

from gatepost.mailflow.queue.recipient import Books

FIRST_FIELD = b"X-Fault-Id: "
"""Every message we send begins with this field; whatever stands before it at the sink was added by the relay."""

COMPOSED_FIELD = "X-Fault-Composed"
"""A message that the relay composed itself, from a request, has this field instead, and only its body is ours."""


class Answer(Enum):
    """What the client heard of one message."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    #: The connection was lost before the final dot: nobody may believe that there is a message.
    ABORTED = "aborted"
    #: The final dot went out, no reply came back.
    UNKNOWN = "unknown"


_COMPOSED = re.compile(rb"\r\n%b: (\S+)\r\n" % COMPOSED_FIELD.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One message as the client saw it; every recipient address is used once in a run.

    Attributes:
        digest: SHA-256 of the content.
        at: Seconds of the monotonic clock when the answer came.
    """

    uid: str
    recipients: tuple[str, ...]
    digest: bytes
    answer: Answer
    reply: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One content as it reached the sink, dot included.

    Attributes:
        added: The field names that stand before ours.
        digest: SHA-256 of the content from our first field on.
        is_taken: The script meant to take it (250); a 4xx or 5xx to the dot is no copy that anybody reads.
        is_answered: The reply to the dot was written out whole, to a connection that lived.
        answered_at: Seconds of the monotonic clock when that was done; 0 if it was not.
        has_tls: It came over TLS.
        pid: The process of the relay that sent it, as its EHLO tells (hook ``say_pid``); 0 if it does not.
    """

    uid: str
    recipients: tuple[str, ...]
    digest: bytes
    added: tuple[str, ...] = ()
    is_taken: bool = True
    is_answered: bool = True
    at: float = 0.0
    answered_at: float = 0.0
    has_tls: bool = False
    pid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A process of the relay that we killed; ``at`` in seconds of the monotonic clock, just after the signal."""

    pid: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """That a process of the relay wrote in its log, after the commit, that a recipient is done with."""

    pid: int
    at: float


@dataclass(slots=True, kw_only=True)
class History:
    """Everything about one run.

    Attributes:
        endings: By recipient address: "delivered", "bounced", "dropped", "expired", "queued" or "held".
        events: How many events of each type the relay wrote.
        kills: Processes of the relay that we killed.
        settled: By recipient address: what the relay's log says of it, as far as a client learnt the message's id.
    """

    submissions: list[Submission] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    endings: Mapping[str, str] = field(default_factory=dict)
    books: list[Books] = field(default_factory=list)
    events: "Counter[str]" = field(default_factory=Counter)
    kills: list[Kill] = field(default_factory=list)
    settled: Mapping[str, Sequence[Settled]] = field(default_factory=dict)

    def count(self, answer: Answer) -> int:
        """How many messages got that answer."""
        return sum(submission.answer is answer for submission in self.submissions)


def digest(content: bytes) -> bytes:
    """The digest that submissions and copies are compared by."""
    return sha256(content).digest()


def read_copy(
    content: bytes,
    recipients: tuple[str, ...],
    *,
    at: float,
    is_taken: bool = True,
    answered_at: float | None = None,
) -> Copy:
    """Take what the sink received apart; ``content`` is unstuffed and without the dot.

    ``answered_at`` is None if the dot was left unanswered.
    """
    header, _, body = content.partition(b"\r\n\r\n")
    composed = _COMPOSED.search(header)
    start = content.find(FIRST_FIELD)
    if start < 0:
        start = header.find(b"\r\nFrom: ") + 2 if composed else len(content)
    ours = content[start:]
    names = [line.split(b":")[0] for line in content[:start].split(b"\r\n") if line and line[:1] not in b" \t"]
    return Copy(
        uid=(composed[1] if composed else ours[len(FIRST_FIELD) : max(ours.find(b"\r\n"), 0)]).decode(
            "ascii", "replace"
        ),
        recipients=recipients,
        digest=digest(body if composed else ours),
        added=tuple([name.decode("ascii", "replace").lower() for name in names]),
        is_taken=is_taken,
        is_answered=answered_at is not None,
        at=at,
        answered_at=answered_at or 0.0,
    )
