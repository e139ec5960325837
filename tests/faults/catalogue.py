"""Every campaign, and the broken builds that must turn it red."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.faults.campaigns import (
    baseline,
    disk_errors,
    kills,
    paused_workers,
    poison_items,
    restarts,
    system_calls,
)
from tests.faults.result import Result
from tests.faults.rig import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One kind of fault.

    Attributes:
        broken: Names from ``hooks/mutants.py``, each with the word that a violation must begin with then.
    """

    title: str
    run: Callable[[Options], Awaitable[Result]]
    broken: Mapping[str, str]

    def is_right(self, result: Result, broken: str) -> bool:
        """Tell whether a run came out as it must: clean, or red for the right reason."""
        if broken:
            return any(violation.startswith(self.broken[broken]) for violation in result.violations)
        return not result.violations


CAMPAIGNS = {
    "D0": Campaign(title="no fault", run=baseline.run, broken={"keep_envelope": "ghost", "alter_content": "altered"}),
    "D1": Campaign(
        title="kill -9 at random moments",
        run=kills.run,
        broken={"answer_early": "lost", "forget_settlements": "duplicate", "forget_interrupted": "stuck"},
    ),
    "D2": Campaign(
        title="kill at every system call",
        run=system_calls.run,
        broken={"answer_early": "lost", "forget_interrupted": "stuck"},
    ),
    "D4": Campaign(
        title="disk errors",
        run=disk_errors.run,
        broken={"refuse_for_good": "wrong 5xx", "trust_failed_flush": "suspect"},
    ),
    "D10": Campaign(title="paused workers", run=paused_workers.run, broken={"lease_for_a_second": "duplicate"}),
    "D11": Campaign(title="poison items", run=poison_items.run, broken={"choke_on_poison": "poison"}),
    "D12": Campaign(title="orderly restarts", run=restarts.run, broken={"end_without_draining": "unanswered"}),
}
