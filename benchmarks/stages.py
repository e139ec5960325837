"""Where a message's processor time goes: samples of py-spy, put down to the stages of its life. No processes here.

A sample is a stack of frames, ``thread (id): name;function (file:line);…``, outermost first, and how often it was seen.
Samples also count a thread that waits for the disk, so they only divide the processor time that the kernel has counted
for each thread, its own work on the thread's behalf included.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("make signatures", ("sign_digest ", "_sign_group ")),
    ("build the outgoing copy", ("mailflow/delivery/outgoing.py",)),
    ("deliver: client session and socket", ("network/smtp_connection.py", "network/smtp_connector.py")),
    ("commit: SQLite's thread", ("queue_sqlite/writer.py",)),
    ("checkpoint: copy the log back", ("queue_sqlite/checkpoint.py",)),
    ("look rights and domains up", ("tenancy/access/", "tenancy/senders/", "storage/access_version.py")),
    ("judge: header, author, policy", ("mailflow/submission/",)),
    ("hand jobs to the queue and back", ("queue_sqlite/store.py", "queue_sqlite/leases.py", "queue_sqlite/lanes.py")),
    ("settle: plan, events, log, metrics", ("_settle ", "_note_settlement ", "mailflow/delivery/settlement.py")),
    ("attempt: route, pool, tasks", ("mailflow/delivery/",)),
    ("receive: TLS", ("smtp/tls_layer.py",)),
    ("receive: write replies", ("ServerConnection._write ",)),
    ("receive: session", ("entrypoints/smtp/",)),
)
"""A stage, and what the frames of its functions hold. The innermost frame that belongs to a stage decides."""

REST = "event loop and the rest"

_THREAD = re.compile(r"thread \((\d+)\)")


def find_stage(stack: str) -> str:
    """Return the stage that a stack belongs to."""
    for frame in reversed(stack.split(";")):
        for stage, marks in STAGES:
            if any(mark in frame for mark in marks):
                return stage
    return REST


def share_out(lines: Iterable[str], seconds: Mapping[int, float]) -> dict[str, float]:
    """Divide the processor seconds of each thread among the stages it was seen at, by py-spy's raw output."""
    seen: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for line in lines:
        stack, _, times = line.rpartition(" ")
        thread = _THREAD.search(stack)
        seen[int(thread[1]) if thread else 0][find_stage(stack)] += int(times)
    shares: defaultdict[str, float] = defaultdict(float)
    for thread_id, spent in seconds.items():
        counts = seen[thread_id] or Counter({REST: 1})
        for stage, samples in counts.items():
            shares[stage] += spent * samples / counts.total()
    return dict(shares)


def render_stages(spent: Mapping[str, float], processor_seconds: float) -> str:
    """Write a table; ``processor_seconds`` is what a message costs in all."""
    total = sum(spent.values()) or 1
    stages = [*(stage for stage, _ in STAGES), REST]
    rows = [(stage, spent.get(stage, 0) / total) for stage in stages]
    width = max(map(len, stages))
    lines = [f"{stage:{width}}  {share:6.1%}  {share * processor_seconds * 1e6:6.0f} us" for stage, share in rows]
    return "\n".join(lines)
