"""``python -m benchmarks.auth_timing``: does the time of a refusal tell whether a key exists?

Each sample is one authentication, in an order that chance decides: an unknown key id, a wrong secret for a key that is
there and idle, a wrong secret for a key that is in use, and the right secret of a key that was never used before. All
are compared with each other. (A key in use is faster, and told so anyway.)

Samples above the 95th percentile of all are left out, as interruptions by other programs; Welch's t is over the rest.
The throttle, which would answer a guesser ever more slowly, is opened wide.
"""

import argparse
import http.client
import logging
import math
import random
import statistics
import sys
import tempfile
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import structlog
import uvicorn

from gatepost.entrypoints.api.app import build_app
from gatepost.entrypoints.api.authentication import Authentication
from gatepost.entrypoints.api.endpoint import BodyBudget, EndpointServices
from gatepost.entrypoints.api.forwarded import ForwardedHeader, Proxies
from gatepost.entrypoints.api.rate_limit import RateLimit, RequestRates
from gatepost.entrypoints.api.v3 import scopes
from gatepost.primitives.ids import AccountId
from gatepost.primitives.secret import Secret
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.storage.migrate import migrate
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.system.keyring import create_keyring
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.ip_access.attempt_log import AttemptLog
from gatepost.tenancy.access.ip_allowlist import NetworkSet
from gatepost.tenancy.access.meters import MemoryCells, Meters, Rate
from gatepost.tenancy.access.principals import Principals
from gatepost.tenancy.access.throttle import AuthenticationThrottle, ThrottleLimits
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account

CLASSES = ("unknown id", "wrong secret", "wrong secret, key in use", "right secret")
LIMIT = 4.5
ENDLESS = 1 << 60
PEER = IPv4Address("192.0.2.1")

Attempt = Callable[[str], None]


def main() -> int:
    """Measure; 1 if one class can be told from another."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auth_timing", description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000, help="of each class (default: 20000)")
    parser.add_argument("--socket", action="store_true", help="over HTTP on loopback instead of in the process")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatepost-timing-") as name, _control_plane(Path(name)) as control:
        account = lifecycle.create(control.accounts, "timed", now=control.clock.now(), entropy=control.entropy)
        keys = _make_keys(control, account, options.samples + 2)
        principals = _open_wide(control)
        with _over_http(control, principals) if options.socket else _in_process(principals) as attempt:
            samples = _measure(attempt, keys, control, options.samples)
    return _report(samples)


def _measure(attempt: Attempt, keys: list[str], control: ControlPlane, count: int) -> dict[str, list[int]]:
    in_use, idle, *unused = keys
    attempt(in_use)
    order = [name for name in CLASSES for _ in range(count)]
    random.shuffle(order)
    samples: dict[str, list[int]] = {name: [] for name in CLASSES}
    for name in order:
        text = _credential(name, in_use, idle, unused, control)
        began_at = time.perf_counter_ns()
        attempt(text)
        samples[name].append(time.perf_counter_ns() - began_at)
    return samples


def _credential(name: str, in_use: str, idle: str, unused: list[str], control: ControlPlane) -> str:
    """Return what to offer; all but the right one are new texts, well-formed to the checksum."""
    if name == "right secret":
        return unused.pop()
    known = "" if name == "unknown id" else in_use if name.endswith("in use") else idle
    _, made = api_key.issue(
        account_id=AccountId("acc_none"),
        name="never stored",
        grant=Grant(scopes=frozenset()),
        now=control.clock.now(),
        entropy=_Chosen(known) if known else control.entropy,
    )
    return made.reveal()


class _Chosen:
    """Draws the id of a known key first, and chance from then on."""

    def __init__(self, key: str) -> None:
        self._id = urlsafe_b64decode(key.split(".")[1] + "==")
        self._chance = SystemEntropy()

    def draw(self, size: int) -> bytes:
        """Draw."""
        octets, self._id = self._id, b""
        return octets or self._chance.draw(size)


def _report(samples: dict[str, list[int]]) -> int:
    cut = statistics.quantiles([each for some in samples.values() for each in some], n=20)[-1]
    kept = {name: [each for each in some if each <= cut] for name, some in samples.items()}
    print(f"{'class':28}{'samples':>9}{'median µs':>11}{'mean µs':>10}")
    for name, some in kept.items():
        print(f"{name:28}{len(some):9}{statistics.median(some) / 1000:11.2f}{statistics.fmean(some) / 1000:10.2f}")
    worst = 0.0
    for place, left in enumerate(CLASSES):
        for right in CLASSES[place + 1 :]:
            t = welch(kept[left], kept[right])
            worst = max(worst, abs(t))
            print(f"t({left} | {right}) = {t:.2f}")
    print(f"largest |t|: {worst:.2f}, to be below {LIMIT}")
    return 0 if worst < LIMIT else 1


def welch(left: list[int], right: list[int]) -> float:
    """Return Welch's t of two samples."""
    error = math.sqrt(statistics.variance(left) / len(left) + statistics.variance(right) / len(right))
    return (statistics.fmean(left) - statistics.fmean(right)) / error


@contextmanager
def _control_plane(folder: Path) -> Iterator[ControlPlane]:
    url, keyring = f"sqlite:///{folder}/control.db", folder / "keyring"
    migrate(url)
    create_keyring(keyring, SystemEntropy())
    with closing(open_control_plane(url, keyring, SystemClock(), SystemEntropy())) as control:
        yield control


def _make_keys(control: ControlPlane, account: Account, count: int) -> list[str]:
    texts = []
    with control.database.writing():
        for _ in range(count):
            made, secret = api_key.issue(
                account_id=account.id, name="timed", grant=Grant(scopes=frozenset({"mail.send"})),
                now=control.clock.now(), entropy=control.entropy,
            )  # fmt: skip
            credential = api_key.parse(secret.reveal().encode())
            assert credential is not None
            control.plain.keys.add(made, control.keyring.hash_secret(credential[1].reveal()))
            texts.append(secret.reveal())
    return texts


def _open_wide(control: ControlPlane) -> Principals:
    limits = ThrottleLimits(per_network=ENDLESS, per_key_id=ENDLESS, overall=ENDLESS, free_failures=ENDLESS)
    return Principals(
        keys=control.plain.keys, accounts=control.plain.accounts, lists=control.plain.ip_access,
        limits=control.plain.sending_limits, attempts=AttemptLog(control.attempts), version=control.version,
        keyring_hash=control.keyring.hash_secret, clock=control.clock, throttle=AuthenticationThrottle(limits),
    )  # fmt: skip


@contextmanager
def _in_process(principals: Principals) -> Iterator[Attempt]:
    yield lambda text: void(principals.authenticate("apikey", Secret(text.encode()), PEER))


def void(_: object) -> None:
    """Forget it."""


@contextmanager
def _over_http(control: ControlPlane, principals: Principals) -> Iterator[Attempt]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    metrics, meters, endless = Metrics(), Meters(MemoryCells()), Rate(ENDLESS, ENDLESS)
    services = EndpointServices(
        authentication=Authentication(principals, metrics, control.people), subusers=control.accounts,
        rate_limit=RateLimit(meters, meters, RequestRates(key=endless, account=endless, address=endless)),
        proxies=Proxies(NetworkSet(), ForwardedHeader.X_FORWARDED_FOR), budget=BodyBudget(1 << 20),
        clock=control.clock, metrics=metrics, max_body_octets=1 << 20, body_timeout=timedelta(seconds=5),
    )  # fmt: skip
    app = build_app(services, scopes.OPERATIONS)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def attempt(text: str) -> None:
        connection.request("GET", "/v3/scopes", headers={"Authorization": f"Bearer {text}"})
        connection.getresponse().read()

    try:
        yield attempt
    finally:
        connection.close()
        server.should_exit = True
        thread.join(10)


if __name__ == "__main__":
    sys.exit(main())
