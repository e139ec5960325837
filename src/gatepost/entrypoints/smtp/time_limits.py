"""How long a peer may take: for the handshake, to authenticate, to say the next thing, to send a message.

Pure: the connection tells what it has seen, in seconds of the event loop's clock, and hears when patience ends.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


class Phase(Enum):
    """What a connection is doing."""

    #: A listed proxy has yet to say whom it speaks for.
    PREAMBLE = "preamble"
    HANDSHAKE = "handshake"
    #: Nobody has authenticated yet.
    STRANGER = "stranger"
    COMMAND = "command"
    CONTENT = "content"
    #: We are deciding; the peer owes us nothing.
    DECISION = "decision"


class Overrun(Enum):
    """Which limit was passed."""

    PREAMBLE = "preamble"
    HANDSHAKE = "handshake"
    IDLE = "idle"
    CONTENT_RATE = "content rate"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """The limits of one listener.

    Attributes:
        preamble_timeout: For the whole PROXY preamble, from the connection on.
        handshake_timeout: For a whole TLS handshake.
        authentication_timeout: From the connection to a successful AUTH, whatever is said meanwhile.
        idle_timeout: Between two things said (RFC 5321 §4.5.3.2.7 asks for five minutes at least).
        content_idle_timeout: Between two pieces of a content (three minutes: RFC 5321 §4.5.3.2.5).
        content_grace: A content may take this long at any rate, and beyond it as long as ``content_min_rate`` allows.
        content_min_rate: Octets a second.
        session_timeout: For the whole session; a content under way is let finish.
        closing_timeout: To read our last reply and hang up.
    """

    preamble_timeout: timedelta = timedelta(seconds=5)
    handshake_timeout: timedelta = timedelta(seconds=30)
    authentication_timeout: timedelta = timedelta(minutes=2)
    idle_timeout: timedelta = timedelta(minutes=5)
    content_idle_timeout: timedelta = timedelta(minutes=3)
    content_grace: timedelta = timedelta(minutes=2)
    content_min_rate: int = 1024
    session_timeout: timedelta = timedelta(hours=1)
    closing_timeout: timedelta = timedelta(seconds=2)

    def look_again_after(self, phase: Phase) -> float:
        """Seconds after which to look at a connection again that is in that phase now.

        The short limits are met to the point. Between the others connections come and go with each message, so
        they are looked at from time to time, four times within the shortest: a timer a command would cost more.
        """
        if phase is Phase.PREAMBLE:
            return self.preamble_timeout.total_seconds()
        if phase is Phase.HANDSHAKE:
            return self.handshake_timeout.total_seconds()
        shortest = min(
            self.authentication_timeout,
            self.idle_timeout,
            self.content_idle_timeout,
            self.content_grace,
            self.session_timeout,
        )
        return shortest.total_seconds() / 4


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a connection has seen; instants and durations in seconds of the event loop's clock.

    Attributes:
        opened_at: When the connection was made.
        phase_since: When the present phase began.
        read_at: When octets last arrived.
        content_octets: Received in the present CONTENT phase.
    """

    phase: Phase
    opened_at: float
    phase_since: float
    read_at: float
    content_octets: int = 0

    def enter(self, phase: Phase, now: float) -> None:
        """Begin a phase."""
        self.phase = phase
        self.phase_since = now
        self.content_octets = 0


def find_overrun(limits: TimeLimits, progress: Progress, now: float) -> Overrun | None:
    """Return the limit the connection has passed, if it has."""
    for overrun, deadline in _deadlines(limits, progress):
        if now >= deadline:
            return overrun
    return None


def _deadlines(limits: TimeLimits, progress: Progress) -> tuple[tuple[Overrun, float], ...]:
    """Return each limit that binds the present phase, with the instant it is passed."""
    since, opened_at, read_at = progress.phase_since, progress.opened_at, progress.read_at
    match progress.phase:
        case Phase.PREAMBLE:
            return ((Overrun.PREAMBLE, since + limits.preamble_timeout.total_seconds()),)
        case Phase.HANDSHAKE:
            return ((Overrun.HANDSHAKE, since + limits.handshake_timeout.total_seconds()),)
        case Phase.STRANGER:
            return ((Overrun.IDLE, opened_at + limits.authentication_timeout.total_seconds()),)
        case Phase.COMMAND:
            return (
                (Overrun.IDLE, max(read_at, since) + limits.idle_timeout.total_seconds()),
                (Overrun.SESSION, opened_at + limits.session_timeout.total_seconds()),
            )
        case Phase.CONTENT:
            earned = progress.content_octets / limits.content_min_rate
            return (
                (Overrun.IDLE, max(read_at, since) + limits.content_idle_timeout.total_seconds()),
                (Overrun.CONTENT_RATE, since + limits.content_grace.total_seconds() + earned),
            )
        case Phase.DECISION:
            return ()
