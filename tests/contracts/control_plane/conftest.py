"""The real control plane on either engine, with a clock and an entropy that tests can steer.

Every test that asks for it runs on a temporary SQLite file and on a database of the PostgreSQL that the tests start.
Tests of one engine ask for ``sqlite_only`` or ``postgresql_only``.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Network
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from tests.support.postgresql import PostgresqlServer

from gatepost.mailflow.queue.recipient import Predicate
from gatepost.network.policy_fetcher import HTTPSPolicyFetcher
from gatepost.network.zone import Zone
from gatepost.primitives.ids import AccountId
from gatepost.primitives.secret import Secret
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.runtime.own_zone import read_own_zone
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import TXT, Name
from gatepost.storage.migrate import migrate
from gatepost.system.keyring import create_keyring
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.audit.entry import SERVICE, Actor
from gatepost.tenancy.senders.rotation import RotationPolicy


class SettableClock:
    """Stands still until moved."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def advance(self, **duration: float) -> datetime:
        self.instant += timedelta(**duration)
        return self.instant


class CountingEntropy:
    """Never the same twice, always the same in each run."""

    def __init__(self) -> None:
        self.count = 0

    def draw(self, size: int) -> bytes:
        self.count += 1
        return (sha256(self.count.to_bytes(8, "big")).digest() * (size // 32 + 1))[:size]


@dataclass
class Place:
    """Where a control plane is, so that a test can open it a second time, as another process would."""

    url: str
    keyring_file: Path
    clock: SettableClock
    entropy: CountingEntropy

    def open(self, actor: Actor = SERVICE) -> ControlPlane:
        return open_control_plane(self.url, self.keyring_file, self.clock, self.entropy, actor=actor)


@dataclass
class Issued:
    """A key in the store, and what its user holds."""

    key: ApiKey
    password: Secret[bytes]


@dataclass(frozen=True)
class Report:
    """What a command is told of one queue shard."""

    index: int
    count: int
    trouble: str


class RecordingWorkers:
    """The port by which commands reach mail workers: notes what was asked, and what was committed by then."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Predicate | None, str]] = []
        self.seen: list[object] = []
        self.witness: Callable[[], object] = lambda: None
        self.answer_with((0, ""))

    def answer_with(self, *answers: tuple[int, str] | Exception) -> None:
        self._answers = answers

    def refresh(self, *, timeout: timedelta) -> Sequence[Report]:
        return self._note("refresh", None, "")

    def refresh_and_hold(self, predicate: Predicate, *, reason: str, timeout: timedelta) -> Sequence[Report]:
        return self._note("hold", predicate, reason)

    def release(self, predicate: Predicate, *, timeout: timedelta) -> Sequence[Report]:
        return self._note("release", predicate, "")

    def _note(self, what: str, predicate: Predicate | None, reason: str) -> Sequence[Report]:
        self.asked.append((what, predicate, reason))
        self.seen.append(self.witness())
        if isinstance(self._answers[0], Exception):
            raise self._answers[0]
        return [Report(index, *answer) for index, answer in enumerate(self._answers)]


class ZoneResolver:
    """The port by which the DNS is asked: TXT records by name, and aliases."""

    def __init__(self) -> None:
        self.texts: dict[str, list[bytes]] = {}
        self.aliases: dict[str, str] = {}
        self.is_down = False

    async def resolve(self, question: Question) -> Answer:
        if self.is_down:
            return Answer(status=AnswerStatus.FAILED, detail="timed out")
        alias = self.aliases.get(question.name)
        if alias is not None and question.type is RecordType.CNAME:
            return Answer(status=AnswerStatus.FOUND, records=(Name(alias),))
        texts = self.texts.get(alias or question.name, []) if question.type is RecordType.TXT else []
        if not texts:
            return Answer(status=AnswerStatus.NO_NAME)
        return Answer(status=AnswerStatus.FOUND, records=tuple(TXT(text) for text in texts))


@dataclass
class SenderSettings:
    sending_networks: tuple[IPv4Network, ...] = (IPv4Network("198.51.100.0/24"),)
    protected_names: tuple[str, ...] = ("operator-brand.example",)
    signing_domain: str | None = None


@dataclass
class DNSSettings:
    zone: str = ""
    name_servers: tuple[str, ...] = ()
    contact: str = ""


@dataclass
class CommandSettings:
    host_name: str = "mail.relay.example"
    dns: DNSSettings = field(default_factory=DNSSettings)
    senders: SenderSettings = field(default_factory=SenderSettings)


@dataclass
class Commands:
    """Runs commands as another process beside the one under test: a CommandContext on the real control plane."""

    place: Place
    settings: CommandSettings = field(default_factory=CommandSettings)
    mail_workers: RecordingWorkers = field(default_factory=RecordingWorkers)
    dns: ZoneResolver = field(default_factory=ZoneResolver)
    actor: Actor = SERVICE
    pushed: list[int] = field(default_factory=list)

    def control_plane(self) -> ControlPlane:
        return self.place.open(self.actor)

    def workers(self) -> RecordingWorkers:
        return self.mail_workers

    def resolver(self) -> ZoneResolver:
        return self.dns

    def policy_fetcher(self, resolver: ZoneResolver) -> HTTPSPolicyFetcher:
        return HTTPSPolicyFetcher(resolver)

    def own_zone(self, plane: ControlPlane) -> Zone:
        return read_own_zone(plane.domains, self.settings)

    def push_own_zone(self, plane: ControlPlane) -> int:
        return self.pushed.pop(0)

    def rotation_policy(self) -> RotationPolicy:
        return RotationPolicy(rotate_after=timedelta(days=180), retire_for=timedelta(days=10))

    def run(self, group: click.Group, *arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(group, arguments, obj=self, input=stdin)


@pytest.fixture
def commands(place: Place) -> Commands:
    return Commands(place)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PostgresqlServer) -> str:
    """A database of the newest schema, to make others from."""
    name = postgresql.create_database()
    migrate(postgresql.url(name))
    return name


@pytest.fixture
def empty_postgresql(postgresql: PostgresqlServer) -> Iterator[str]:
    """The name of an empty database."""
    name = postgresql.create_database()
    yield name
    postgresql.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Which engine the test runs on."""
    return str(request.param)


@pytest.fixture
def sqlite_only(engine_name: str) -> None:
    """The test is about SQLite."""


@pytest.fixture
def postgresql_only(engine_name: str) -> None:
    """The test is about PostgreSQL."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave a test of one engine off the other, without a skip."""
    for engine, fixture in (("postgresql", "sqlite_only"), ("sqlite", "postgresql_only")):
        items[:] = [
            item
            for item in items
            if not (
                fixture in getattr(item, "fixturenames", ())
                and getattr(item, "callspec", None)
                and item.callspec.params.get("engine_name") == engine
            )
        ]


@pytest.fixture
def database_url(request: pytest.FixtureRequest, engine_name: str, tmp_path: Path) -> Iterator[str]:
    """A control-plane database of the newest schema, used by nobody yet."""
    if engine_name == "sqlite":
        url = f"sqlite:///{tmp_path}/control.db"
        migrate(url)
        yield url
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = server.create_database(request.getfixturevalue("postgresql_template"))
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def shorten_waiting(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, engine_name: str) -> None:
    """Give up soon where the database is busy; ask for it before anything that opens the control plane."""
    if engine_name == "sqlite":
        monkeypatch.setattr("gatepost.storage.sqlite.BUSY_TIMEOUT_SECONDS", 0.02)
    else:
        request.getfixturevalue("postgresql")
        postgresql = importlib.import_module("gatepost.storage.postgresql")
        options = postgresql._SESSION["options"].replace(
            f"lock_timeout={postgresql.LOCK_TIMEOUT_SECONDS}s", "lock_timeout=20ms"
        )
        monkeypatch.setitem(postgresql._SESSION, "options", options)


@pytest.fixture
def dump(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Callable[[], bytes]:
    """Return the whole database: on SQLite its files, what deleted rows left behind too; on PostgreSQL its data as
    text, octets in hexadecimal."""

    def dump() -> bytes:
        if database_url.startswith("sqlite"):
            return b"".join(file.read_bytes() for file in tmp_path.glob("control.db*"))
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        return server.dump_data(database_url.partition("@/")[2].partition("?")[0]).encode()

    return dump


@pytest.fixture
def is_stored(dump: Callable[[], bytes]) -> Callable[[bytes], bool]:
    """Say whether octets are anywhere in the database, in a row or left behind by one."""

    def is_stored(octets: bytes) -> bool:
        dumped = dump()
        return octets in dumped or octets.hex().encode() in dumped

    return is_stored


@pytest.fixture
def place(database_url: str, tmp_path: Path, clock: SettableClock) -> Place:
    place = Place(database_url, tmp_path / "keyring", clock, CountingEntropy())
    create_keyring(place.keyring_file, place.entropy)
    return place


@pytest.fixture
def control_plane(place: Place) -> Iterator[ControlPlane]:
    with place.open() as opened:
        yield opened


@pytest.fixture
def other_process(place: Place) -> Iterator[ControlPlane]:
    """The same control plane, opened again: nothing is shared but the file."""
    with place.open() as opened:
        yield opened


@pytest.fixture
def account(control_plane: ControlPlane) -> Account:
    return lifecycle.create(
        control_plane.accounts, "acme", now=control_plane.clock.now(), entropy=control_plane.entropy
    )


@pytest.fixture
def issue(control_plane: ControlPlane, account: Account) -> Callable[..., Issued]:
    """Make a key and store it; keyword arguments are those of Grant."""

    def issue(*, account_id: AccountId = account.id, name: str = "billing", **grant: object) -> Issued:
        wanted = Grant(**({"scopes": frozenset({"mail.send"})} | grant))
        key, secret = api_key.issue(
            account_id=account_id,
            name=name,
            grant=wanted,
            now=control_plane.clock.now(),
            entropy=control_plane.entropy,
        )
        password = secret.reveal().encode()
        credential = api_key.parse(password)
        assert credential is not None
        control_plane.keys.add(key, control_plane.keyring.hash_secret(credential[1].reveal()))
        return Issued(key, Secret(password))

    return issue
