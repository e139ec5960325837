"""D9: clients that say one octet a second, or nothing, beside ordinary load: cut at their limits, in nobody's way."""

import asyncio
import random
import ssl
import statistics
import time
from dataclasses import dataclass

from tests.faults.checker import judge
from tests.faults.history import Answer, Submission
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running

LIMITS = """
[submission]
handshake_timeout = "3s"
authentication_timeout = "4s"
idle_timeout = "4s"
max_sessions_per_address = 5000
"""
API_LIMITS = """
header_timeout = "4s"
body_timeout = "4s"
max_connections = 5000
max_connections_per_address = 5000
"""
START_SECONDS = 3.0
"""Over which the slow clients begin: a thousand at one moment would overrun the backlog of the port."""

CUT_SECONDS = 4.0
GRACE_SECONDS = 4.0
"""A limit is looked at four times within it, and the machine may be busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """One kind of slow client: whether it does TLS or HTTP, and what it says before and after it slows down."""

    has_tls: bool
    at_once: bytes = b""
    drip: bytes = b""
    is_http: bool = False
    linger_seconds: float = 0.0


KINDS = {
    "silent before the handshake": Slow(has_tls=False),
    "a handshake octet by octet": Slow(
        has_tls=False, drip=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    ),
    "silent after the banner": Slow(has_tls=True),
    "a command octet by octet": Slow(has_tls=True, drip=b"EHLO client.test" + b"x" * 400),
    "an HTTP head octet by octet": Slow(has_tls=True, is_http=True, drip=b"POST /v3/mail/send HTTP/1.1\r\n" * 9),
    "an HTTP body octet by octet": Slow(
        has_tls=True,
        is_http=True,
        linger_seconds=5.0,  # it is answered 408 then, and may read that
        at_once=b"POST /v3/mail/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %KEY%\r\n"
        b"Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n",
        drip=b"{" + b" " * 900,
    ),
    "NOOP for ever, never authenticated": Slow(has_tls=True, at_once=b"EHLO client.test\r\n", drip=b"NOOP\r\n" * 80),
}


async def run(options: Options) -> Result:
    """Measure the load alone, then beside the slow ones."""
    each, seconds = (143, 120.0) if options.is_full else (8, 6.0)
    async with running(options, Setup(extra=LIMITS, api=API_LIMITS)) as rig:
        alone = await measure(rig, "alone", seconds / 2)
        async with asyncio.TaskGroup() as tasks:
            slow = [tasks.create_task(_be_slow(rig, kind)) for kind in KINDS.values() for _ in range(each)]
            beside = await measure(rig, "beside", seconds)
        verdict = judge(await rig.finish())
    held = dict(zip([name for name in KINDS for _ in range(each)], [task.result() for task in slow], strict=True))
    factor = statistics.median(beside) / statistics.median(alone)
    tail = percentile(beside, 0.99) / percentile(alone, 0.99)
    result = Result.of(
        verdict,
        slow=len(slow),
        longest_held=f"{max(held.values()):.1f}s",
        median_factor=f"{factor:.2f}",
        p99_factor=f"{tail:.2f}",
        p99_alone=f"{percentile(alone, 0.99) * 1000:.0f}ms",
    )
    for name, took in held.items():
        most = CUT_SECONDS + GRACE_SECONDS + KINDS[name].linger_seconds
        result.expect(took <= most, f"held: {name}: {took:.1f} s")
    result.expect(factor < 3, f"slow: the median answer took {factor:.1f} times as long beside slow clients")
    result.expect(not options.is_full or tail < 2, f"slow: the p99 took {tail:.1f} times as long beside slow clients")
    return result


def percentile(took: list[float], share: float) -> float:
    """Return the value below which that share lies."""
    return sorted(took)[min(int(len(took) * share), len(took) - 1)]


async def measure(rig: Rig, prefix: str, seconds: float) -> list[float]:
    """Return how long each message took from the one before on its connection, at a steady rate."""
    load = rig.load(Plan(seed=rig.options.seed, connections=1), prefix=prefix)
    took: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        submission: Submission = await load.send_one()
        if submission.answer is Answer.ACCEPTED:
            took.append(time.monotonic() - began)
        await asyncio.sleep(0.02)
    return took


async def _be_slow(rig: Rig, kind: Slow) -> float:
    """Be slow until hung up on; return how long that took."""
    context = ssl.create_default_context(cafile=str(rig.relay.ca_file)) if kind.has_tls else None
    await asyncio.sleep(random.random() * START_SECONDS)
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        rig.relay.api_port if kind.is_http else rig.relay.implicit_port,
        ssl=context,
        server_hostname="localhost" if context else None,
    )
    dripping = asyncio.create_task(_drip(writer, kind, rig.relay.key))
    try:
        async with asyncio.timeout(5 * CUT_SECONDS):
            while await reader.read(4096):
                pass
    except (OSError, TimeoutError):
        pass
    finally:
        dripping.cancel()
        writer.transport.abort()
    return time.monotonic() - began


async def _drip(writer: asyncio.StreamWriter, kind: Slow, key: str) -> None:
    writer.write(kind.at_once.replace(b"%KEY%", key.encode()))
    size = 6 if kind.at_once and not kind.is_http else 1
    for start in range(0, len(kind.drip), size):
        await asyncio.sleep(0.3)
        writer.write(kind.drip[start : start + size])
