"""How much goes to one destination at a time, and when a dead one is tried again. Pure; seconds are passed in.

A destination is a recipient domain, or the static route that takes it. It begins with few connections, gains one with
each success and loses half with each failure; what may be leased for it follows, so that slow destinations never hold
so many leases that none are left for the others. After some failures in a row without a success it is left alone for
a while that doubles: what falls due meanwhile is deferred without a connection, so that one dead exchanger costs next
to nothing and its mail still keeps its retry times and its expiry.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapingLimits:
    """Limits for each destination.

    Attributes:
        max_connections: Attempts under way at once.
        initial_connections: The same, before the first success.
        recipients_per_connection: Recipients leased at once for each connection allowed, so that the next are at hand
            when one becomes free.
        failures_before_backoff: Hosts unreachable this many times in a row.
        backoff_seconds: The first pause; each further one is twice as long.
        max_backoff_seconds: The longest pause.
    """

    max_connections: int = 20
    initial_connections: int = 5
    recipients_per_connection: int = 4
    failures_before_backoff: int = 3
    backoff_seconds: float = 60.0
    max_backoff_seconds: float = 600.0


@dataclass(slots=True)
class _State:
    connections: int
    recipients: int = 0
    attempts: int = 0
    failures: int = 0
    #: Until then no connection; 0 for no pause.
    resume_at: float = 0.0
    reason: str = ""

    @property
    def is_busy(self) -> bool:
        return self.recipients > 0 or self.attempts > 0


class Shaping:
    """Keeps count for every destination; of too many, the idle ones are forgotten, oldest first.

    Attributes:
        destination_of: By domain, the name it is counted under.
    """

    def __init__(
        self,
        limits: ShapingLimits,
        *,
        destination_of: Callable[[str], str] = lambda domain: domain,
        bound: int = 10_000,
    ) -> None:
        """Shape by ``destination_of(domain)``; remember at most about ``bound`` destinations."""
        self._limits = limits
        self.destination_of = destination_of
        self._bound = bound
        self._states: dict[str, _State] = {}

    def room(self, domain: str) -> int:
        """Say how many more recipients of a domain would be taken now."""
        state = self._states.get(self.destination_of(domain))
        connections, leased = (state.connections, state.recipients) if state else (self._limits.initial_connections, 0)
        return connections * self._limits.recipients_per_connection - leased

    def reserve(self, domain: str, recipients: int) -> None:
        """Count recipients that were leased."""
        self._state(domain).recipients += recipients

    def release(self, domain: str, recipients: int) -> None:
        """Count recipients that were settled."""
        self._state(domain).recipients -= recipients

    def may_begin(self, domain: str) -> bool:
        """Tell whether one more attempt may run beside those under way."""
        state = self._state(domain)
        return state.attempts < state.connections

    def begin(self, domain: str, now: float) -> str:
        """Count an attempt that begins; return "" to go on, or why it must not connect (``end`` it all the same)."""
        state = self._state(domain)
        state.attempts += 1
        if not state.resume_at:
            return ""
        if now < state.resume_at:
            return f"destination is left alone for {int(state.resume_at - now) + 1} s after: {state.reason}"
        # One probe; what comes beside it waits for what it finds.
        state.resume_at = now + self._pause(state.failures)
        return ""

    def end(self, domain: str) -> None:
        """Count an attempt that has ended."""
        self._state(domain).attempts -= 1

    def note_success(self, domain: str) -> None:
        """A host took connection and envelope, whatever it said about recipients."""
        state = self._state(domain)
        state.failures = 0
        state.resume_at = 0.0
        state.connections = min(state.connections + 1, self._limits.max_connections)

    def note_failure(self, domain: str, now: float, reason: str) -> None:
        """None of the hosts could be reached or would talk."""
        state = self._state(domain)
        state.failures += 1
        state.reason = reason
        state.connections = max(state.connections // 2, 1)
        if state.failures >= self._limits.failures_before_backoff:
            state.resume_at = now + self._pause(state.failures)

    def _pause(self, failures: int) -> float:
        doublings = min(max(failures - self._limits.failures_before_backoff, 0), 30)
        return min(self._limits.backoff_seconds * 2.0**doublings, self._limits.max_backoff_seconds)

    def _state(self, domain: str) -> _State:
        destination = self.destination_of(domain)
        state = self._states.get(destination)
        if state is None:
            if len(self._states) >= self._bound:
                self._forget()
            state = self._states[destination] = _State(self._limits.initial_connections)
        return state

    def _forget(self) -> None:
        """Drop the older half of what is idle, the healthy first."""
        idle = [name for name, state in self._states.items() if not state.is_busy]
        idle.sort(key=lambda name: self._states[name].resume_at > 0)
        for name in idle[: self._bound // 2]:
            del self._states[name]
