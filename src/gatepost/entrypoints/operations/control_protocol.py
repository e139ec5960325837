"""What a command says to a mail worker and what it answers: one JSON object a line, each way, over a UNIX socket.

The socket lies in a directory of the service's user (0700) and is itself 0600: who may open it may already read the
queue and the database, so there is no further authentication.
"""

from typing import Final, TypeAlias

import msgspec

from gatepost.mailflow.queue.recipient import Predicate, RecipientState
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.tenancy.senders.sender_names import SenderNames

MAX_LINE_OCTETS: Final = 1024 * 1024
"""Room for some thousand names that a predicate leaves out."""


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="request"):
    """Something asked of a worker."""


class Refresh(_Request, frozen=True, kw_only=True, tag="refresh"):
    """Forget every right that was looked up: from the answer on, none is granted but by a new look-up."""


class Barrier(_Request, frozen=True, kw_only=True, tag="barrier"):
    """Answer when every message whose acceptance had begun is committed or refused."""


class Reload(_Request, frozen=True, kw_only=True, tag="reload"):
    """Read settings and certificates again."""


class AskStatus(_Request, frozen=True, kw_only=True, tag="status"):
    """Say how the worker is."""


class Stop(_Request, frozen=True, kw_only=True, tag="stop"):
    """Drain and end; the supervisor starts the worker anew."""


class Which(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A queue Predicate as it travels; at least one field must be given."""

    account_id: AccountId | None = None
    key_id: KeyId | None = None
    message_id: MessageId | None = None
    domain: str | None = None
    state: RecipientState | None = None
    sender: SenderNames | None = None
    held_for: str | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in self.__struct_fields__):
            raise ValueError("an empty predicate would mean every recipient; name at least one thing")

    @classmethod
    def from_predicate(cls, predicate: Predicate) -> "Which":
        """Pack a predicate."""
        return cls(**{name: getattr(predicate, name) for name in cls.__struct_fields__})

    def to_predicate(self) -> Predicate:
        """Unpack it."""
        return Predicate(**{name: getattr(self, name) for name in self.__struct_fields__})


class Hold(_Request, frozen=True, kw_only=True, tag="hold"):
    """Hold matching recipients, for a reason that an operator will read."""

    which: Which
    reason: str


class Release(_Request, frozen=True, kw_only=True, tag="release"):
    """Queue matching held recipients again."""

    which: Which


class Remove(_Request, frozen=True, kw_only=True, tag="remove"):
    """Drop matching queued or held recipients."""

    which: Which
    reason: str


Request: TypeAlias = Refresh | Barrier | Reload | AskStatus | Stop | Hold | Release | Remove


class _Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer"):
    """What a worker says."""


class Done(_Answer, frozen=True, kw_only=True, tag="done"):
    """It has happened.

    Attributes:
        count: Recipients held, released or removed.
        notes: What the operator should know: settings that need a restart.
    """

    count: int = 0
    notes: tuple[str, ...] = ()


class Refused(_Answer, frozen=True, kw_only=True, tag="refused"):
    """It has not happened; ``reason`` is for the operator."""

    reason: str


class WorkerStatus(_Answer, frozen=True, kw_only=True, tag="status"):
    """How a mail worker is.

    Attributes:
        index: Its shard.
        state: "ready", or "draining" once it has been told to stop.
        is_suspect: Its store failed to reach the disk: it accepts nothing until it is restarted.
        recipients: Live recipients by state.
    """

    index: int
    pid: int
    state: str
    sessions: int = 0
    is_suspect: bool = False
    recipients: dict[str, int] = msgspec.field(default_factory=dict)


Answer: TypeAlias = Done | Refused | WorkerStatus

_REQUEST: Final[msgspec.json.Decoder[Request]] = msgspec.json.Decoder(Request)
_ANSWER: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)


def decode_request(line: bytes) -> Request:
    """Read a request. Raises ``msgspec.DecodeError``."""
    return _REQUEST.decode(line)


def decode_answer(line: bytes) -> Answer:
    """Read an answer. Raises ``msgspec.DecodeError``."""
    return _ANSWER.decode(line)


def encode_line(value: Request | Answer) -> bytes:
    """Write a request or an answer with its line end."""
    return msgspec.json.encode(value) + b"\n"
