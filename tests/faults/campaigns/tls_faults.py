"""D8, TLS: receiving servers whose STARTTLS is refused, broken, slow, expired or of another name, by what we demand.

Opportunistic TLS delivers whatever happens (RFC 7435); a route that demands TLS never sends in the clear, and one that
demands a verified certificate sends to nobody else.
"""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from tests.faults.checker import Rules, judge
from tests.faults.history import Answer
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Setup, running
from tests.faults.sink import Action, HangUp, Reply, Script, Silence, Sink
from tests.support.authority import LOCAL_NAMES, make_certificate

TIMEOUTS = """
connect_timeout = "2s"
command_timeout = "2s"
"""
WAIT_SECONDS = 12.0
"""Past two attempts at the slowest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One server and one demand.

    Attributes:
        certificate: "good", "expired", "wrong name", "unknown authority"; "" if the server offers no STARTTLS.
        stage, action: What it does there instead of what a good server does.
        demand: Of the route: "", "require-tls" or "verify-tls".
        is_delivered: How it must come out; ``has_tls``: over what.
    """

    certificate: str = "good"
    stage: str = ""
    action: Action | None = None
    demand: str = ""
    is_delivered: bool = True
    has_tls: bool = True


REFUSED = Reply(text="454 4.7.0 not now")
BROKEN = HangUp(octets=b"this is no handshake\r\n")
SLOW = Silence()
INJECTED = HangUp(octets=b"220 go ahead\r\n250 and this stands before the handshake\r\n")
CASES = {
    "good": Case(),
    "none offered": Case(certificate="", has_tls=False),
    "refused": Case(stage="STARTTLS", action=REFUSED, has_tls=False),
    "broken handshake": Case(stage="handshake", action=BROKEN, has_tls=False),
    "slow": Case(stage="handshake", action=SLOW, has_tls=False),
    # What stands before the handshake may come from anybody: this is an attack, and no server without TLS.
    "a reply before the handshake": Case(stage="STARTTLS", action=INJECTED, is_delivered=False),
    "expired": Case(certificate="expired"),
    "wrong name": Case(certificate="wrong name"),
    "TLS demanded, good": Case(demand="require-tls"),
    "TLS demanded, expired": Case(demand="require-tls", certificate="expired"),
    "TLS demanded, none offered": Case(demand="require-tls", certificate="", is_delivered=False),
    "TLS demanded, refused": Case(demand="require-tls", stage="STARTTLS", action=REFUSED, is_delivered=False),
    "TLS demanded, broken handshake": Case(demand="require-tls", stage="handshake", action=BROKEN, is_delivered=False),
    "TLS demanded, slow": Case(demand="require-tls", stage="handshake", action=SLOW, is_delivered=False),
    "verified, good": Case(demand="verify-tls"),
    "verified, expired": Case(demand="verify-tls", certificate="expired", is_delivered=False),
    "verified, wrong name": Case(demand="verify-tls", certificate="wrong name", is_delivered=False),
    "verified, unknown authority": Case(demand="verify-tls", certificate="unknown authority", is_delivered=False),
}


async def run(options: Options) -> Result:
    """Send to all of them at once."""
    each = 20 if options.is_full else 2
    contexts, authorities = _make_certificates(options.folder)
    sinks = {name: Sink(_script(case), contexts.get(case.certificate)) for name, case in CASES.items()}
    domains = {name: f"t{number}.test" for number, name in enumerate(CASES)}
    for sink in sinks.values():
        await sink.start()
    routes = {domains[name]: f"127.0.0.1:{sinks[name].port} {case.demand}".strip() for name, case in CASES.items()}
    environment = {"SSL_CERT_FILE": str(authorities)}
    setup = Setup(routes=routes, delivery=TIMEOUTS, environment=environment, hooks=("short_handshakes",))
    async with running(options, setup) as rig:
        rig.sinks += sinks.values()
        load = rig.load(Plan(seed=options.seed, connections=10, domains=tuple(routes), max_recipients=1))
        await load.run(messages=each * len(CASES))
        await asyncio.sleep(WAIT_SECONDS)
        history = rig.history()
    result = Result.of(judge(history, Rules(may_stay=True)), cases=len(CASES))
    for name, case in CASES.items():
        copies, domain = sinks[name].copies, domains[name]
        sent = [s for s in load.submissions if s.recipients[0].endswith("@" + domain) and s.answer is Answer.ACCEPTED]
        result.expect(
            len(copies) == len(sent) * case.is_delivered, f"ending: {name}: {len(copies)} of {len(sent)} came"
        )
        wrong = sum(copy.has_tls is not case.has_tls for copy in copies)
        result.expect(not wrong, f"clear: {name}: {wrong} came {'in the clear' if case.has_tls else 'over TLS'}")
    return result


def _make_certificates(folder: Path) -> tuple[dict[str, ssl.SSLContext], Path]:
    """Return a server's context for each kind of certificate, and the file of the authorities that the relay trusts."""
    now = datetime.now(UTC)
    kinds = {
        "good": (LOCAL_NAMES, now + timedelta(days=1)),
        "expired": (LOCAL_NAMES, now - timedelta(minutes=5)),
        "wrong name": ((x509.DNSName("other.test"),), now + timedelta(days=1)),
        "unknown authority": (LOCAL_NAMES, now + timedelta(days=1)),
    }
    contexts, trusted = {}, b""
    for number, (kind, (names, valid_until)) in enumerate(kinds.items()):
        place = folder / f"certificate-{number}"
        place.mkdir()
        authority, certificate, private_key = make_certificate(place, names, valid_until=valid_until)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, private_key)
        contexts[kind] = context
        trusted += authority.read_bytes() if kind != "unknown authority" else b""
    authorities = folder / "authorities.pem"
    authorities.write_bytes(trusted)
    return contexts, authorities


def _script(case: Case) -> Script:
    return lambda stage, nth: case.action if stage == case.stage else None
