"""Which hosts would not talk a moment ago: they are tried last, so that a dead first exchanger delays nothing. Pure."""

from collections.abc import Sequence

from gatepost.mailflow.delivery.route import NextHop

REMEMBERED_SECONDS = 300.0


class HostMemory:
    """Remembers failures for a while; seconds are passed in."""

    def __init__(self, *, bound: int = 10_000) -> None:
        """Remember at most ``bound`` hosts; of more, the oldest failures are forgotten."""
        self._bound = bound
        self._failed: dict[tuple[str, int], float] = {}

    def order(self, hops: Sequence[NextHop], now: float) -> list[NextHop]:
        """Return the hops in the order to try them: as given, those that failed last behind the others."""
        return sorted(hops, key=lambda hop: self._failed.get((hop.address, hop.port), 0.0) > now)

    def note_failure(self, hop: NextHop, now: float) -> None:
        """It could not be reached, or would not talk."""
        self._failed.pop((hop.address, hop.port), None)
        self._failed[hop.address, hop.port] = now + REMEMBERED_SECONDS
        if len(self._failed) > self._bound:
            del self._failed[next(iter(self._failed))]

    def note_success(self, hop: NextHop) -> None:
        """It talked."""
        self._failed.pop((hop.address, hop.port), None)
