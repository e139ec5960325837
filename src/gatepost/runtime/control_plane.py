"""The control plane, opened: its stores and what they rest on, for a mail worker or for one command."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from gatepost.mailflow.events.ports import StatisticsStore
from gatepost.mailflow.queue.audited_batches import AuditedBatchStore
from gatepost.mailflow.queue.batches import BatchStore, CurrentStatuses
from gatepost.primitives.clock import Clock
from gatepost.primitives.entropy import Entropy
from gatepost.storage.access import SqlApiKeyStore
from gatepost.storage.accounts import SqlAccountStore
from gatepost.storage.audit import SqlAuditLog
from gatepost.storage.batches import SqlBatchStore
from gatepost.storage.branding import SqlBrandingStore
from gatepost.storage.budgets import SqlBudgetStore
from gatepost.storage.database import Database
from gatepost.storage.domain_reviews import SqlReviewStore
from gatepost.storage.email_changes import SqlEmailChangeStore
from gatepost.storage.engine import VersionConnection
from gatepost.storage.invitations import SqlInvitationStore, SqlResetStore
from gatepost.storage.ip_access import SqlAccessAttemptStore, SqlIPAccessStore
from gatepost.storage.people import SqlFactorStore, SqlTeammateStore
from gatepost.storage.senders import SqlDomainStore
from gatepost.storage.sending_limits import SqlSendingLimitsStore
from gatepost.storage.sessions import SqlAttemptStore, SqlSessionStore
from gatepost.storage.single_senders import SqlSingleSenderStore
from gatepost.storage.statistics import SqlStatisticsStore
from gatepost.system.keyring import Keyring, load_keyring
from gatepost.tenancy.access.audited import AuditedApiKeyStore
from gatepost.tenancy.access.ip_access.attempt_log import AttemptLog
from gatepost.tenancy.access.ip_access.audited import AuditedIPAccessStore
from gatepost.tenancy.access.ip_access.listed_peers import ListedPeers
from gatepost.tenancy.access.ip_access.ports import AttemptStore, IPAccessStore
from gatepost.tenancy.access.meters import Meters
from gatepost.tenancy.access.people import People
from gatepost.tenancy.access.ports import ApiKeyStore
from gatepost.tenancy.access.principals import Principals
from gatepost.tenancy.access.spending import Spending
from gatepost.tenancy.access.throttle import AuthenticationThrottle
from gatepost.tenancy.accounts.audited import AuditedAccountStore, AuditedSendingLimitsStore
from gatepost.tenancy.accounts.person_ports import PeerRules, PeopleStores
from gatepost.tenancy.accounts.ports import AccountStore, SendingLimitsStore
from gatepost.tenancy.accounts.session_keeper import PeopleTools
from gatepost.tenancy.audit.entry import SERVICE, Actor
from gatepost.tenancy.audit.ports import AuditLog
from gatepost.tenancy.audit.recorder import Recorder
from gatepost.tenancy.senders.audited import AuditedDomainStore
from gatepost.tenancy.senders.audited_branding import AuditedBrandingStore
from gatepost.tenancy.senders.audited_single_sender import AuditedReviewStore, AuditedSingleSenderStore
from gatepost.tenancy.senders.branding import BrandingStore
from gatepost.tenancy.senders.ports import DomainStore, ReviewStore, SingleSenderStore


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainStores:
    """The stores as they are under the ones that record: nothing but ``acting_as`` is to use them."""

    accounts: SqlAccountStore
    keys: SqlApiKeyStore
    domains: SqlDomainStore
    senders: SqlSingleSenderStore
    reviews: SqlReviewStore
    branding: SqlBrandingStore
    ip_access: SqlIPAccessStore
    sending_limits: SqlSendingLimitsStore
    batches: SqlBatchStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Everything that knows who may send. One for a process; open it after forking, and close it.

    Whatever is changed through its stores is recorded in the audit log, in the same transaction, as the act of the
    actor it was opened for.
    """

    clock: Clock
    entropy: Entropy
    keyring: Keyring
    accounts: AccountStore
    keys: ApiKeyStore
    domains: DomainStore
    senders: SingleSenderStore
    reviews: ReviewStore
    branding: BrandingStore
    ip_access: IPAccessStore
    attempts: AttemptStore
    sending_limits: SendingLimitsStore
    audit: AuditLog
    principals: Principals
    spending: Spending
    people_stores: PeopleStores
    peers: PeerRules
    actor: Actor
    batches: BatchStore
    statistics: StatisticsStore
    batch_statuses: CurrentStatuses
    database: Database
    version: VersionConnection
    plain: PlainStores

    def acting_as(self, actor: Actor) -> Self:
        """Return this control plane for another actor; it shares everything, and needs no closing of its own."""
        recorder = self.recorder_for(actor)
        return replace(
            self,
            actor=actor,
            accounts=AuditedAccountStore(self.plain.accounts, recorder),
            keys=AuditedApiKeyStore(self.plain.keys, recorder),
            domains=AuditedDomainStore(self.plain.domains, recorder),
            senders=AuditedSingleSenderStore(self.plain.senders, recorder),
            reviews=AuditedReviewStore(self.plain.reviews, recorder),
            branding=AuditedBrandingStore(self.plain.branding, recorder),
            ip_access=AuditedIPAccessStore(self.plain.ip_access, recorder),
            sending_limits=AuditedSendingLimitsStore(self.plain.sending_limits, recorder),
            batches=AuditedBatchStore(self.plain.batches, recorder),
        )

    def recorder_for(self, actor: Actor) -> Recorder:
        """Return the pen of an actor, for acts that no store records."""
        return Recorder(self.audit, actor, self.clock)

    @property
    def people(self) -> People:
        """Who a session's person is, and what he may do."""
        return People(
            stores=self.people_stores,
            accounts=self.accounts,
            peers=self.peers,
            sealer=self.keyring,
            clock=self.clock,
        )

    @property
    def people_tools(self) -> PeopleTools:
        """What the use cases about people work with; each act is recorded as its actor's."""
        return PeopleTools(
            stores=self.people_stores,
            accounts=self.accounts,
            record_as=lambda actor: Recorder(self.audit, actor, self.clock),
            peers=self.peers,
            sealer=self.keyring,
            clock=self.clock,
            entropy=self.entropy,
        )

    def close(self) -> None:
        """Let go of the database."""
        self.version.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_control_plane(
    database_url: str, keyring_file: Path, clock: Clock, entropy: Entropy, *,
    actor: Actor = SERVICE, meters: Meters | None = None,
) -> ControlPlane:  # fmt: skip
    """Open the control plane.

    Args:
        database_url, keyring_file: Where they are.
        clock, entropy: Tell the time, and draw keys.
        actor: Who will change things; others take ``acting_as``.
        meters: Where wrong credentials are counted; in this process if none.

    Raises:
        Misconfigured: The database or the keyring is missing, unreadable or not ours; the text says what to do.
    """
    keyring = load_keyring(keyring_file, entropy)
    database = Database(database_url)
    version = database.open_version()
    plain, attempts = _open_stores(database, version), SqlAccessAttemptStore(database)
    attempt_log = AttemptLog(attempts)
    return ControlPlane(
        clock=clock,
        entropy=entropy,
        keyring=keyring,
        accounts=plain.accounts,
        keys=plain.keys,
        domains=plain.domains,
        ip_access=plain.ip_access,
        attempts=attempts,
        sending_limits=plain.sending_limits,
        branding=plain.branding,
        senders=plain.senders,
        reviews=plain.reviews,
        audit=SqlAuditLog(database, keyring.mac_audit),
        principals=_open_principals(plain, attempt_log, version, keyring, clock=clock, meters=meters),
        spending=Spending(SqlBudgetStore(database), hash_recipient=keyring.hash_secret, clock=clock),
        people_stores=_open_people_stores(database),
        peers=ListedPeers(plain.ip_access, attempt_log, clock),
        actor=actor,
        batches=plain.batches,
        statistics=SqlStatisticsStore(database),
        batch_statuses=CurrentStatuses(plain.batches, version),
        database=database,
        version=version,
        plain=plain,
    ).acting_as(actor)


def _open_people_stores(database: Database) -> PeopleStores:
    return PeopleStores(
        teammates=SqlTeammateStore(database),
        factors=SqlFactorStore(database),
        sessions=SqlSessionStore(database),
        attempts=SqlAttemptStore(database),
        invitations=SqlInvitationStore(database),
        resets=SqlResetStore(database),
        email_changes=SqlEmailChangeStore(database),
    )


def _open_stores(database: Database, version: VersionConnection) -> PlainStores:
    return PlainStores(
        accounts=SqlAccountStore(database),
        keys=SqlApiKeyStore(database),
        domains=SqlDomainStore(database, version),
        senders=SqlSingleSenderStore(database, version),
        reviews=SqlReviewStore(database),
        branding=SqlBrandingStore(database),
        ip_access=SqlIPAccessStore(database),
        sending_limits=SqlSendingLimitsStore(database),
        batches=SqlBatchStore(database),
    )


def _open_principals(
    plain: PlainStores,
    attempts: AttemptLog,
    version: VersionConnection,
    keyring: Keyring,
    *,
    clock: Clock,
    meters: Meters | None,
) -> Principals:
    return Principals(
        keys=plain.keys,
        accounts=plain.accounts,
        lists=plain.ip_access,
        limits=plain.sending_limits,
        attempts=attempts,
        version=version,
        keyring_hash=keyring.hash_secret,
        clock=clock,
        throttle=AuthenticationThrottle(meters=meters),
    )
