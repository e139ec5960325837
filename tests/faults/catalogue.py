"""Every campaign, and the broken builds that must turn it red."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.faults.campaigns import (
    backups,
    bad_neighbours,
    baseline,
    breaking_attempts,
    clock_jumps,
    database_faults,
    disk_error_calls,
    disk_errors,
    dns_faults,
    failing_disk,
    idle_sessions,
    kills,
    late_replies,
    paused_workers,
    poison_items,
    power_cuts,
    power_cuts_on_disk,
    recovery,
    remote_faults,
    restarts,
    slow_clients,
    system_calls,
    tls_faults,
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
    "D3": Campaign(title="power cuts, replayed", run=power_cuts.run, broken={"eatmydata": "lost", "sync_off": "lost"}),
    "D3disk": Campaign(
        title="power cuts, on a recording disk",
        run=power_cuts_on_disk.run,
        broken={"eatmydata": "lost", "sync_off": "lost"},
    ),
    "D4": Campaign(
        title="disk errors",
        run=disk_errors.run,
        broken={"refuse_for_good": "wrong 5xx", "trust_failed_flush": "suspect"},
    ),
    "D4calls": Campaign(
        title="an error at every call", run=disk_error_calls.run, broken={"trust_failed_flush": "suspect"}
    ),
    "D4disk": Campaign(title="a disk that fails", run=failing_disk.run, broken={"answer_early": "lost"}),
    "D5": Campaign(title="PostgreSQL faults", run=database_faults.run, broken={"wait_for_the_database": "late"}),
    "D6": Campaign(title="DNS faults", run=dns_faults.run, broken={"bounce_on_servfail": "ending"}),
    "D7": Campaign(title="clock jumps", run=clock_jumps.run, broken={"expire_untried": "expired"}),
    "D8": Campaign(title="remote misbehaviour", run=remote_faults.run, broken={"lost_is_delivered": "lost"}),
    "D8tls": Campaign(
        title="TLS faults of receiving servers",
        run=tls_faults.run,
        broken={"fall_back_always": "clear", "trust_anybody": "ending"},
    ),
    "D8late": Campaign(
        title="late replies to the dot", run=late_replies.run, broken={"impatient_at_the_dot": "duplicate"}
    ),
    "D8neighbours": Campaign(
        title="dead and slow neighbours", run=bad_neighbours.run, broken={"one_at_a_time": "neighbour"}
    ),
    "D9": Campaign(title="slow clients", run=slow_clients.run, broken={"never_time_out": "held"}),
    "D9idle": Campaign(title="idle sessions", run=idle_sessions.run, broken={"keep_a_megabyte_each": "heavy"}),
    "D10": Campaign(title="paused workers", run=paused_workers.run, broken={"lease_for_a_second": "duplicate"}),
    "D11": Campaign(title="poison items", run=poison_items.run, broken={"choke_on_poison": "poison"}),
    "D11attempts": Campaign(
        title="attempts that break the worker", run=breaking_attempts.run, broken={"never_set_aside": "poison"}
    ),
    "D12": Campaign(title="orderly restarts", run=restarts.run, broken={"end_without_draining": "unanswered"}),
    "D14": Campaign(title="backups restored", run=backups.run, broken={"ignore_restored": "again"}),
    "R": Campaign(title="recovery with a long queue", run=recovery.run, broken={"look_at_each_at_start": "slow"}),
}
