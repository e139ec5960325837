"""The API as an ASGI application on the real control plane and the real queue, without sockets."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.app import build_app
from gatepost.entrypoints.api.authentication import Authentication
from gatepost.entrypoints.api.callers import CurrentCallers
from gatepost.entrypoints.api.endpoint import BodyBudget, EndpointServices
from gatepost.entrypoints.api.forwarded import ForwardedHeader, Proxies
from gatepost.entrypoints.api.idempotency import Once
from gatepost.entrypoints.api.letters import Letters
from gatepost.entrypoints.api.operation import Operation
from gatepost.entrypoints.api.rate_limit import RateLimit, RequestRates
from gatepost.entrypoints.api.v3 import scopes
from gatepost.entrypoints.api.v3.access_settings import AccessSettings
from gatepost.entrypoints.api.v3.api_keys import ApiKeys
from gatepost.entrypoints.api.v3.mail_batch import MailBatches
from gatepost.entrypoints.api.v3.mail_send import MailSending
from gatepost.entrypoints.api.v3.password_resets import TokenEntries
from gatepost.entrypoints.api.v3.scheduled_sends import ScheduledSends
from gatepost.entrypoints.api.v3.sessions import Sessions
from gatepost.entrypoints.api.v3.subuser_credits import SubuserCredits
from gatepost.entrypoints.api.v3.subuser_monitor import SubuserMonitor
from gatepost.entrypoints.api.v3.subuser_stats import SubuserStats
from gatepost.entrypoints.api.v3.subusers import Subusers
from gatepost.entrypoints.api.v3.teammates import Teammates
from gatepost.entrypoints.api.v3.user import User
from gatepost.entrypoints.api.v3.user_factors import UserFactors
from gatepost.entrypoints.api.v3.verified_senders import VerifiedSenders
from gatepost.entrypoints.api.v3.whitelabel import Whitelabel
from gatepost.mailflow.submission.accept import Acceptance
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.runtime.compose_api import compose_whitelabel
from gatepost.runtime.compose_senders import compose_guard
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.standards.dns.question import Answer, AnswerStatus, Question
from gatepost.standards.dns.records import Record
from gatepost.storage.migrate import migrate
from gatepost.storage.queue_sqlite.store import QueueSettings, SQLiteQueue
from gatepost.storage.request_ledger import RequestLedger
from gatepost.system.common_passwords import load_common_passwords
from gatepost.system.entropy import SystemEntropy
from gatepost.system.keyring import create_keyring
from gatepost.system.password_hash import Argon2PasswordHash
from gatepost.system.security_key import WebAuthnKeys
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.ip_allowlist import NetworkSet
from gatepost.tenancy.access.meters import MemoryCells, Meters, Rate
from gatepost.tenancy.access.sending_rate import SendingRate
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.people import PeopleUseCases
from gatepost.tenancy.accounts.sending_limits import UNLIMITED, SendingLimits
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.dns_plan import Relay
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.posture import PolicyFile
from gatepost.tenancy.senders.public_suffix import PublicSuffixes
from gatepost.tenancy.senders.single_sender_proof import SenderProofs

PEER = "192.0.2.1"
RELAY = Relay(host_name="relay.test", sending_networks=(ip_network("198.51.100.0/24"),), zone="gp.relay.test")

# Read once: it is a list of ten thousand names, and never changes.
public_suffixes = cache(PublicSuffixes)


class SettableClock:
    """Stands still until moved."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant


@dataclass
class RecordingRightsChanged:
    """The port by which a change of rights is made exact: notes what was asked, and can fail."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    trouble: str = ""

    async def settle(self) -> None:
        self._note("settle")

    async def settle_and_hold(self, account_id: AccountId, key_id: KeyId | None, *, reason: str) -> None:
        self._note("hold", account_id, *([key_id] if key_id else []))

    async def settle_domain(self, account_ids: Iterable[AccountId], name: str, *, reason: str) -> None:
        self._note("settle_domain", *account_ids, name, reason)

    async def settle_address(self, account_id: AccountId, address: str, *, reason: str) -> None:
        self._note("settle_address", account_id, address, reason)

    def _note(self, *what: str) -> None:
        self.asked.append(what)
        if self.trouble:
            raise Transient(self.trouble)


class Claims:
    """Which account has which verified domain."""

    def __init__(self) -> None:
        self.holders: dict[str, AccountId] = {}

    def find_default(self, account_id: AccountId) -> AuthenticatedDomain | None:
        return None

    def find_verified(self, name: str) -> AuthenticatedDomain | None:
        if name not in self.holders:
            return None
        return AuthenticatedDomain(
            name=name,
            account_id=self.holders[name],
            state=DomainState.VERIFIED,
            dkim_keys=(),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )


@dataclass
class Zone:
    """The port by which the DNS is asked: records by name and type; None is a question that fails."""

    records: dict[tuple[str, str], tuple[Record, ...] | None] = field(default_factory=dict)

    async def resolve(self, question: Question) -> Answer:
        records = self.records.get((question.name, question.type.value), ())
        if records is None:
            return Answer(status=AnswerStatus.FAILED, detail="timed out")
        return Answer(status=AnswerStatus.FOUND if records else AnswerStatus.NO_NAME, records=records)


@dataclass
class Mailbox:
    """The port by which the service writes mail: keeps it, and can fail."""

    letters: list[tuple[str, str, str]] = field(default_factory=list)
    trouble: Exception | None = None

    async def send(self, to: str, subject: str, text: str) -> None:
        if self.trouble:
            raise self.trouble
        self.letters.append((to, subject, text))

    def token(self) -> str:
        """The token of the last letter."""
        return next(word for word in self.letters[-1][2].split() if word.startswith(("gpi_", "gpr_", "gpv_", "gpe_")))


class CountedHash(Argon2PasswordHash):
    """The real Argon2id, as cheap as it can be made; counts what is calculated."""

    def __init__(self, entropy: Any) -> None:
        super().__init__(entropy, memory_kib=8, passes=1)
        self.verified = 0

    def _verify(self, encoded: Any, password: Any) -> bool:
        self.verified += 1
        return super()._verify(encoded, password)


@dataclass
class Peers:
    """The port that says from where an account's people may come."""

    refused: set[str] = field(default_factory=set)

    def permits(self, account_id: AccountId, peer: Any) -> bool:
        return str(peer) not in self.refused


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    octets: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.octets)

    @property
    def errors(self) -> list[tuple[str | None, str]]:
        return [(error["field"], error["message"]) for error in self.json["errors"]]


async def ask(
    app: ASGIApp, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"", peer: str = PEER
) -> Reply:
    """Make one request of an ASGI application."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items() if value],
        "client": (peer, 40_000),
        "state": {"tls": "TLSv1.3 TLS_AES_256_GCM_SHA384"},
        "root_path": "",
    }
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)] or [b""]
    incoming = [
        {"type": "http.request", "body": piece, "more_body": place < len(pieces) - 1}
        for place, piece in enumerate(pieces)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    answer = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], answer, b"".join(message.get("body", b"") for message in rest))


class Policies:
    """The port by which MTA-STS policies are fetched: serves one to all domains that it knows."""

    def __init__(self) -> None:
        self.served: dict[str, PolicyFile] = {}

    async def fetch(self, domain: str) -> PolicyFile:
        return self.served.get(domain, PolicyFile(problem=f"mta-sts.{domain} has no address"))


@dataclass
class Api:
    """The application, what stands behind it, and how to ask it."""

    control: ControlPlane
    queue: SQLiteQueue
    clock: SettableClock
    past: RequestLedger
    claims: Claims = field(default_factory=Claims)
    rights_changed: RecordingRightsChanged = field(default_factory=RecordingRightsChanged)
    acts: ActsInProgress = field(default_factory=ActsInProgress)
    metrics: Metrics = field(default_factory=Metrics)
    dns: Zone = field(default_factory=Zone)
    relay: Relay = RELAY
    policies: Policies = field(default_factory=Policies)
    budget: BodyBudget = field(default_factory=lambda: BodyBudget(1 << 24))
    mailbox: Mailbox = field(default_factory=Mailbox)
    peers: Peers = field(default_factory=Peers)
    a_step: timedelta = timedelta(seconds=30)
    meters: Meters = field(default_factory=lambda: Meters(MemoryCells()))
    requests_at_once: int = 1000
    requests_of_account: int = 100_000
    requests_of_address: int = 100_000
    default_limits: SendingLimits = UNLIMITED
    proxies: Proxies = field(default_factory=lambda: Proxies(NetworkSet(), ForwardedHeader.X_FORWARDED_FOR))
    max_body_octets: int = 1 << 20
    body_timeout: timedelta = timedelta(seconds=5)

    def __post_init__(self) -> None:
        self.control = replace(self.control, peers=self.peers)
        self.hasher = CountedHash(self.control.entropy)
        self.people = PeopleUseCases.of(
            self.control.people_tools,
            hasher=self.hasher,
            security_keys=WebAuthnKeys("relay.test", ["https://relay.test"]),
            issuer="relay.test",
            common_passwords=load_common_passwords(),
        )
        self.letters = letters = Letters(mailer=self.mailbox, host_name="relay.test", show_token=str)
        self.callers = CurrentCallers(self.control.principals, self.control.people)
        self.token_entries = TokenEntries(people=self.people, letters=letters)
        self.teammates = Teammates(
            people=self.people,
            callers=self.callers,
            letters=letters,
            rights_changed=self.rights_changed,
            acts=self.acts,
        )

    @property
    def rule(self) -> VerifiedDomains:
        return VerifiedDomains(self.claims, public_suffixes(), self.control.senders)

    @property
    def senders(self) -> VerifiedSenders:
        def proofs_of(plane: ControlPlane) -> SenderProofs:
            return SenderProofs(
                store=plane.senders,
                attempts=plane.people_stores.attempts,
                entropy=plane.entropy,
                keyed_hash=plane.keyring.hash_secret,
            )

        return VerifiedSenders(
            callers=self.callers,
            proofs=proofs_of(self.control),
            proofs_as=lambda actor: proofs_of(self.control.acting_as(actor)),
            domains=self.control.domains,
            rule=self.rule,
            letters=self.letters,
            resolver=self.dns,
            rights_changed=self.rights_changed,
            acts=self.acts,
            clock=self.clock,
        )

    def people_operations(self) -> tuple[Operation, ...]:
        return (
            *Sessions(people=self.people, rights_changed=self.rights_changed).operations(),
            *self.token_entries.operations(),
            *UserFactors(people=self.people).operations(),
            *User(people=self.people, letters=self.letters).operations(),
            *self.teammates.operations(),
        )

    def whitelabel(self) -> Whitelabel:
        control = self.control
        return Whitelabel(
            callers=CurrentCallers(control.principals, control.people),
            accounts=control.accounts,
            domains=control.domains,
            domains_as=lambda actor: control.acting_as(actor).domains,
            branding=control.branding,
            branding_as=lambda actor: control.acting_as(actor).branding,
            rights_changed=self.rights_changed,
            acts=self.acts,
            clock=self.clock,
            entropy=control.entropy,
            keyring=control.keyring,
            relay=self.relay,
            resolver=lambda: self.dns,
            policy_fetcher=lambda _: self.policies,
            guard_as=lambda actor: compose_guard(control.acting_as(actor), "relay.test", ()),
        )

    def operations(self) -> tuple[Operation, ...]:
        control = self.control
        door = Acceptance(
            queue=self.queue,
            rights=control.principals,
            budgets=control.spending,
            meter=control.principals.meter,
            domains=self.rule,
            clock=self.clock,
            entropy=control.entropy,
            own_host_names=["relay.test"],
            rate=SendingRate(self.meters, default=self.default_limits),
        )
        sending = MailSending(
            door=door,
            batches=control.batches,
            once=Once(self.past, self.clock),
            clock=self.clock,
            entropy=control.entropy,
            metrics=self.metrics,
            max_size_octets=1 << 20,
        )
        keys = ApiKeys(
            access=self.callers,
            keys=control.keys,
            keys_as=lambda actor: control.acting_as(actor).keys,
            rights_changed=self.rights_changed,
            acts=self.acts,
            clock=self.clock,
            entropy=control.entropy,
            hash_secret=control.keyring.hash_secret,
        )
        subusers = Subusers(
            callers=self.callers,
            accounts=control.accounts,
            accounts_as=lambda actor: control.acting_as(actor).accounts,
            lists=control.ip_access,
            lists_as=lambda actor: control.acting_as(actor).ip_access,
            unit_of_work=control.audit.unit_of_work,
            rights_changed=self.rights_changed,
            acts=self.acts,
            clock=self.clock,
            entropy=control.entropy,
            sending_networks=(ip_network("198.51.100.0/24"),),
            first_owners=self.people.first_owners,
        )
        batches = MailBatches(batches=control.batches, clock=self.clock, entropy=control.entropy)
        scheduled = ScheduledSends(
            batches=control.batches, batches_as=lambda actor: control.acting_as(actor).batches, clock=self.clock
        )
        access_settings = AccessSettings(
            callers=self.callers,
            lists=control.ip_access,
            lists_as=lambda actor: control.acting_as(actor).ip_access,
            attempts=control.attempts,
            rights_changed=self.rights_changed,
            acts=self.acts,
            clock=self.clock,
        )
        return (
            *sending.operations(),
            *batches.operations(),
            *scheduled.operations(),
            *keys.operations(),
            *access_settings.operations(),
            *scopes.OPERATIONS,
            *SubuserStats(subusers=subusers, statistics=control.statistics).operations(),
            *subusers.operations(),
            *SubuserMonitor(subusers=subusers).operations(),
            *SubuserCredits(subusers=subusers).operations(),
            *self.senders.operations(),
            *compose_whitelabel(self.whitelabel(), control, self.letters),
            *self.people_operations(),
        )

    @cached_property
    def built(self) -> ASGIApp:
        """The application, built once, for tests that ask much of it."""
        return self.build()

    def build(self, *more: Operation, routes: Sequence[BaseRoute] = ()) -> ASGIApp:
        services = EndpointServices(
            authentication=Authentication(self.control.principals, self.metrics, self.control.people),
            subusers=self.control.accounts,
            rate_limit=RateLimit(
                self.meters,
                self.meters,
                RequestRates(
                    key=Rate(self.requests_at_once, 1),
                    account=Rate(self.requests_of_account, 1),
                    address=Rate(self.requests_of_address, 1),
                ),
            ),
            proxies=self.proxies,
            budget=self.budget,
            clock=self.clock,
            metrics=self.metrics,
            max_body_octets=self.max_body_octets,
            body_timeout=self.body_timeout,
        )
        return build_app(services, (*self.operations(), *more), *routes)

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str = "",
        headers: Mapping[str, str] | None = None,
        peer: str = PEER,
        app: ASGIApp | None = None,
    ) -> Reply:
        octets = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        fields = {"Content-Type": "application/json", "Content-Length": str(len(octets))}
        fields |= {"Authorization": f"Bearer {key}"} if key else {}
        return await ask(
            app or self.build(), method, path, headers=fields | dict(headers or {}), body=octets, peer=peer
        )

    def account(self, name: str, parent_id: AccountId | None = None) -> AccountId:
        parent = self.control.accounts.find(parent_id) if parent_id else None
        return lifecycle.create(
            self.control.accounts, name, now=self.clock.now(), entropy=self.control.entropy, parent=parent
        ).id

    def key(self, account_id: AccountId, *scopes: str, name: str = "key", **limits: Any) -> str:
        """Make a key, a second after the one before; return the whole of it."""
        self.clock.instant += timedelta(seconds=1)
        made, secret = api_key.issue(
            account_id=account_id,
            name=name,
            grant=Grant(scopes=frozenset(scopes), **limits),
            now=self.clock.now(),
            entropy=self.control.entropy,
        )
        credential = api_key.parse(secret.reveal().encode())
        assert credential is not None
        self.control.keys.add(made, self.control.keyring.hash_secret(credential[1].reveal()))
        return secret.reveal()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    clock, entropy = SettableClock(), SystemEntropy()
    url, keyring = f"sqlite:///{tmp_path}/control.db", tmp_path / "keyring"
    migrate(url)
    create_keyring(keyring, entropy)
    control = open_control_plane(url, keyring, clock, entropy)
    queue = await SQLiteQueue.open(
        tmp_path / "queue",
        0,
        clock=clock,
        entropy=entropy,
        settings=QueueSettings(longest_delay=timedelta(hours=5)),
        report=lambda _event, _fields: None,
    )
    past = RequestLedger(tmp_path / "queue")
    made = Api(control, queue, clock, past)
    yield made
    past.close()
    made.hasher.close()
    await queue.close()
    control.close()


def key_id(key: str) -> str:
    """The public half of a key."""
    return key.split(".")[1]


@pytest.fixture
def open_api(tmp_path: Path) -> Callable[[], AbstractContextManager[Api]]:
    """Open an API on a control plane of its own, without a queue, as often as a test likes."""
    clock, entropy = SettableClock(), SystemEntropy()
    template, keyring = tmp_path / "template.db", tmp_path / "keyring"
    migrate(f"sqlite:///{template}")
    create_keyring(keyring, entropy)

    @contextmanager
    def open_one() -> Iterator[Api]:
        path = tmp_path / f"{entropy.draw(8).hex()}.db"
        path.write_bytes(template.read_bytes())
        clock.instant = SettableClock().instant
        with open_control_plane(f"sqlite:///{path}", keyring, clock, entropy) as control:
            yield Api(control, cast("SQLiteQueue", None), clock, cast("RequestLedger", None))

    return open_one
