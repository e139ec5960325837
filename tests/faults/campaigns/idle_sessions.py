"""D9, idle: thousands of authenticated TLS sessions that say nothing: what they weigh, and whether others notice."""

import asyncio
import resource
import ssl
from pathlib import Path

from tests.faults.campaigns.slow_clients import measure, percentile
from tests.faults.checker import judge
from tests.faults.loader import Client, Target
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running

LIMITS = """
[submission]
max_sessions_per_address = 10000
idle_timeout = "20m"
"""
MOST_MIB = {5000: 600, 200: 250}
"""Of all mail workers together, by the number of sessions; a worker without any weighs about 60 MiB."""

AT_A_TIME = 50


async def run(options: Options) -> Result:
    """Measure the load alone, open the sessions, weigh the workers, and measure again."""
    sessions, seconds = (5000, 60.0) if options.is_full else (200, 5.0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * sessions + 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    async with running(options, Setup(extra=LIMITS)) as rig:
        before = _resident(rig)
        alone = await measure(rig, "alone", seconds)
        clients = await _open(rig, sessions)
        try:
            weight = _resident(rig)
            beside = await measure(rig, "beside", seconds)
            answered = await asyncio.gather(*[client.say(b"NOOP", 250) for client in clients[:: sessions // 100]])
        finally:
            for client in clients:
                client.close()
        verdict = judge(await rig.finish())
    tail = percentile(beside, 0.99) / percentile(alone, 0.99)
    result = Result.of(verdict, sessions=len(clients), before=f"{before} MiB", resident=f"{weight} MiB")
    result.figures["each"] = f"{(weight - before) * 1024 / sessions:.0f} KiB"
    result.figures["p99_factor"] = f"{tail:.2f}"
    result.expect(weight <= MOST_MIB[sessions], f"heavy: {weight} MiB with {sessions} idle sessions")
    result.expect(len(answered) >= 100, f"dead: only {len(answered)} of 100 idle sessions answered")
    result.expect(not options.is_full or tail <= 2, f"slow: the p99 took {tail:.1f} times as long")
    return result


async def _open(rig: Rig, sessions: int) -> list[Client]:
    context = ssl.create_default_context(cafile=str(rig.relay.ca_file))
    target = Target(port=rig.relay.implicit_port, ca_file=rig.relay.ca_file, key=rig.relay.key)
    clients: list[Client] = []
    while len(clients) < sessions:
        many = min(AT_A_TIME, sessions - len(clients))
        clients += await asyncio.gather(*[Client.open(target, context) for _ in range(many)])
    return clients


def _resident(rig: Rig) -> int:
    """What the mail workers hold in memory now, in MiB."""
    total = 0
    for pid in rig.mail_workers():
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total // 1024
