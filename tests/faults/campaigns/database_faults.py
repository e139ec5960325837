"""D5: the control plane's PostgreSQL stopped, killed, frozen, slow, read-only, and cut off between COMMIT and answer.

Where rights cannot be asked for nothing is accepted, and that is said within five seconds, as 4yz and as 503; what was
accepted before goes on leaving; ten seconds after the fault mail is taken again.
"""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.checker import judge
from tests.faults.history import Answer
from tests.faults.loader import Load, Plan
from tests.faults.postgresql_proxy import PostgresqlProxy
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running
from tests.faults.sink import Action, Reply, Sink
from tests.support.api_client import ApiClient, mail
from tests.support.postgresql import PostgresqlServer, find_postgresql

ANSWER_SECONDS = 5.0
AGAIN_SECONDS = 10.0


def is_usable() -> bool:
    """Whether PostgreSQL is installed."""
    return find_postgresql() is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How the database fails and is mended.

    Attributes:
        may_accept: What is accepted only needs reading, which works.
    """

    begin: Callable[[PostgresqlServer, PostgresqlProxy], None]
    end: Callable[[PostgresqlServer, PostgresqlProxy], None]
    may_accept: bool = False


def _set(name: str, value: object) -> Callable[[PostgresqlServer, PostgresqlProxy], None]:
    return lambda server, proxy: setattr(proxy, name, value)


FAULTS = {
    "killed": Fault(begin=lambda server, _: server.stop(signal.SIGQUIT), end=lambda server, _: server.start()),
    "frozen": Fault(begin=lambda server, _: server.freeze(), end=lambda server, _: server.thaw()),
    "slow": Fault(begin=_set("delay_seconds", 20.0), end=_set("delay_seconds", 0.0)),
    "stopped": Fault(begin=lambda server, _: server.stop(signal.SIGINT), end=lambda server, _: server.start()),
    "read-only": Fault(
        begin=lambda server, _: server.restart_as(is_standby=True),
        end=lambda server, _: server.restart_as(is_standby=False),
        may_accept=True,
    ),
    "cut at COMMIT": Fault(begin=_set("cuts_commits", True), end=_set("cuts_commits", False), may_accept=True),
}


async def run(options: Options) -> Result:
    """Each fault in turn on one relay, several times over in the full size."""
    rounds = 17 if options.is_full else 1
    result = Result()
    programs = find_postgresql()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="gatepost-pg-") as name:
        folder = Path(name)
        for part in ("server", "proxy"):
            (folder / part).mkdir()
        if os.geteuid() == 0:
            folder.chmod(0o755)
        server = await asyncio.to_thread(PostgresqlServer, programs, folder / "server")
        proxy = PostgresqlProxy(folder / "proxy", folder / "server")
        await proxy.start()
        try:
            await _run_on(options, server, proxy, rounds, result)
        finally:
            server.thaw()
            await proxy.stop()
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            shutil.rmtree(folder / "server", ignore_errors=True)
    return result


async def _run_on(
    options: Options, server: PostgresqlServer, proxy: PostgresqlProxy, rounds: int, result: Result
) -> None:
    url = server.url(server.create_database()).replace("server", "proxy")
    secret = options.folder / "database_url"
    secret.write_text(url)
    secret.chmod(0o600)
    is_busy = False

    def sometimes_busy(stage: str, nth: int) -> Action | None:
        return Reply(text="451 not now") if is_busy and stage == "MAIL" else None

    setup = Setup(workers=1, head=f'database_url_file = "{secret}"')
    async with running(replace(options, template=None), setup, Sink(sometimes_busy)) as rig:
        load = rig.load(Plan(seed=options.seed, connections=1, max_recipients=1))
        key = await asyncio.to_thread(rig.relay.make_key, "acme", "issuer", "--scope", "api_keys.create")
        await load.send_one()  # what signs is read at the first message, and kept
        await rig.drain()
        for number in range(rounds * len(FAULTS)):
            name = list(FAULTS)[number % len(FAULTS)]
            is_busy = True
            await load.send_one()
            copies = len(rig.sink.copies)
            await asyncio.to_thread(FAULTS[name].begin, server, proxy)
            is_busy = False
            await _see(rig, load, key, name, result)
            if result.violations:
                await asyncio.to_thread(FAULTS[name].end, server, proxy)
                return  # each further one would take minutes, and say no more
            is_on = await _wait_for_copy(rig, copies, 15)
            result.expect(is_on, f"held up: {name}: what was accepted before did not leave")
            await asyncio.to_thread(FAULTS[name].end, server, proxy)
            took = await _time_until_accepted(load)
            result.figures[name] = f"again after {took:.1f}s"
            result.expect(took <= AGAIN_SECONDS, f"again: {name}: nothing was accepted for {took:.1f} s")
        verdict = judge(await rig.finish())
    result.figures |= {"accepted": verdict.accepted, "faults": rounds * len(FAULTS), "cut": proxy.cut}
    result.violations += verdict.violations
    result.expect(proxy.cut > 0, "cut: no COMMIT was cut off, so nothing was tried")


async def _see(rig: Rig, load: Load, key: str, name: str, result: Result) -> None:
    """Submit over SMTP and HTTP and ask for a change of rights, while the fault lasts."""
    may_accept = FAULTS[name].may_accept
    for _ in range(3):
        began = time.monotonic()
        submission = await load.send_one()
        took = time.monotonic() - began
        is_accepted = submission.answer is Answer.ACCEPTED
        result.expect(took <= ANSWER_SECONDS, f"late: {name}: SMTP said {submission.reply} after {took:.1f} s")
        if took > ANSWER_SECONDS:
            return
        result.expect(may_accept or not is_accepted, f"wrong 250: {name}")
        is_right = is_accepted or submission.reply.removeprefix("Refused('")[:1] == "4"
        result.expect(is_right, f"wrong reply: {name}: {submission.reply}")
    calls = {"mail/send": ("/v3/mail/send", mail("fault", "http@dest.test"))} if not may_accept else {}
    calls["api_keys"] = ("/v3/api_keys", {"name": "fault", "scopes": ["mail.send"]})
    for what, (path, body) in calls.items():
        began = time.monotonic()
        try:
            reply = await asyncio.to_thread(_post, rig, key, path, body)
        except OSError as error:
            result.violations.append(f"wrong reply: {name}: {what}: {error!r}")
            continue
        took = time.monotonic() - began
        is_told = reply[0] == 503 and reply[1]
        result.expect(bool(is_told), f"wrong status: {name}: {what}: {reply[0]}, Retry-After {reply[1] or 'missing'}")
        result.expect(took <= ANSWER_SECONDS, f"late: {name}: {what} said {reply[0]} after {took:.1f} s")


def _post(rig: Rig, key: str, path: str, body: object) -> tuple[int, str]:
    with ApiClient(rig.relay, key) as client:
        reply = client.call("POST", path, body)
    return reply.status, reply.headers.get("retry-after", "")


async def _time_until_accepted(load: Load) -> float:
    began = time.monotonic()
    while time.monotonic() < began + 3 * AGAIN_SECONDS:
        if (await load.send_one()).answer is Answer.ACCEPTED:
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def _wait_for_copy(rig: Rig, more_than: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while len(rig.sink.copies) <= more_than and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return len(rig.sink.copies) > more_than
