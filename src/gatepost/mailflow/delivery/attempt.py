"""One lease, once: its route, one host after another until one takes the envelope, a report for each recipient.

Hosts are tried in turn only as long as nothing was said about the message or a recipient: from the first answer to
MAIL on, what the peer said stands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gatepost.mailflow.delivery.capability import NO_8BITMIME, NO_SMTPUTF8, find_needs, find_unservable
from gatepost.mailflow.delivery.host_memory import HostMemory
from gatepost.mailflow.delivery.outcome import Outcome, Verdict, classify_failure, classify_transaction
from gatepost.mailflow.delivery.outgoing import OutgoingCopies, OutgoingCopy
from gatepost.mailflow.delivery.pool import ConnectionPool
from gatepost.mailflow.delivery.ports import ConnectFailed, Connection, Connector
from gatepost.mailflow.delivery.route import NextHop, Route, Undecided, Unroutable
from gatepost.mailflow.delivery.router import Router
from gatepost.mailflow.delivery.settlement import RecipientReport
from gatepost.mailflow.delivery.source import ANY_SOURCE, Sources, leave_from
from gatepost.mailflow.delivery.tls_requirement import decide_fallback
from gatepost.mailflow.queue.recipient import Lease, LeasedRecipient, QueuedMessage
from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.ids import AccountId
from gatepost.standards.smtp.transaction import FailureKind, Transaction, TransactionResult

MAX_RECIPIENTS_PER_TRANSACTION = 100
"""What every server must take (RFC 5321 §4.5.3.1.8)."""

_NO_SOURCE = Outcome(
    verdict=Verdict.DEFERRED, reason="no source address of the account is of the family (IPv4, IPv6) of any next hop"
)


@dataclass(slots=True, kw_only=True)
class AttemptReport:
    """What an attempt came to.

    Attributes:
        recipients: By position. One without an entry was not tried, for the lease was put on hold.
        host_failure: Why no host would talk; "" if one did, None if none was asked.
    """

    recipients: dict[int, RecipientReport] = field(default_factory=dict)
    host_failure: str | None = None

    def add(
        self, recipients: Sequence[LeasedRecipient], outcome: Outcome, connection: Connection | None = None
    ) -> None:
        """Note one outcome for all of these."""
        for recipient in recipients:
            self.recipients[recipient.position] = RecipientReport(
                outcome=outcome, tls=connection.tls if connection else ""
            )


class Attempts:
    """Makes attempts; between them it remembers which hosts would not talk."""

    def __init__(
        self,
        *,
        router: Router,
        connector: Connector,
        pool: ConnectionPool,
        copies: OutgoingCopies,
        clock: Clock,
        monotonic: Callable[[], float],
        is_on_hold: Callable[[Lease], bool],
        find_stop: Callable[[QueuedMessage], Outcome | None],
        find_sources: Callable[[AccountId], Sources] = lambda _: ANY_SOURCE,
        hosts_timeout_seconds: float = 600.0,
    ) -> None:
        """Attempt with these; no further host is tried after ``hosts_timeout_seconds``."""
        self._router = router
        self._connector = connector
        self._pool = pool
        self._copies = copies
        self._clock = clock
        self._monotonic = monotonic
        self._is_on_hold = is_on_hold
        self._find_stop = find_stop
        self._find_sources = find_sources
        self._hosts_timeout_seconds = hosts_timeout_seconds
        self._hosts = HostMemory()

    async def attempt(self, lease: Lease) -> AttemptReport:
        """Try to deliver a lease; never raises for what peers or the DNS do."""
        report = AttemptReport()
        if self._stop(lease.message, lease.recipients, report):
            return report
        route = await self._router.find(lease.domain)
        if isinstance(route, Unroutable):
            report.add(lease.recipients, Outcome(verdict=Verdict.BOUNCED, reason=f"{route.status} {route.reason}"))
        elif isinstance(route, Undecided):
            report.add(lease.recipients, Outcome(verdict=Verdict.DEFERRED, reason=route.reason))
        else:
            await self._try_route(lease, route, report)
        return report

    async def _try_route(self, lease: Lease, route: Route, report: AttemptReport) -> None:
        """Try a route from an address of the account's; that there is none to leave from says nothing about a host."""
        sources = self._find_sources(lease.message.account_id)
        hops = leave_from(sources, route.hops, lease.domain)
        if sources.trouble:
            report.add(lease.recipients, Outcome(verdict=Verdict.DEFERRED, reason=sources.trouble))
        elif not hops:
            report.add(lease.recipients, _NO_SOURCE)
        else:
            await self._try_hosts(lease, hops, report)

    async def _try_hosts(self, lease: Lease, hops: Sequence[NextHop], report: AttemptReport) -> None:
        until = self._monotonic() + self._hosts_timeout_seconds
        pending = lease.recipients
        for hop in self._hosts.order(hops, self._monotonic()):
            pending = await self._try_host(lease, hop, pending, report)
            if not pending or self._is_on_hold(lease) or self._monotonic() > until:
                return

    async def _try_host(
        self, lease: Lease, hop: NextHop, pending: tuple[LeasedRecipient, ...], report: AttemptReport
    ) -> tuple[LeasedRecipient, ...]:
        """Send to one host, as many transactions as it takes; return whom the next host may be tried for."""
        while pending and not self._is_on_hold(lease):
            try:
                hop, connection = await self._open(hop)
            except ConnectFailed as failed:
                self._host_failed(report, pending, hop, classify_failure(failed.failure))
                return pending
            was_kept = connection.transactions > 0
            batch = pending[:MAX_RECIPIENTS_PER_TRANSACTION]
            try:
                failure = await self._send(lease, hop, connection, batch, report)
            finally:
                self._pool.put(hop, connection)
            if failure is None:
                report.host_failure = ""
                self._hosts.note_success(hop)
                pending = pending[len(batch) :]
            elif not was_kept:
                self._host_failed(report, pending, hop, failure)
                return pending
            # A kept connection that died unnoticed says nothing about the host: again, on another.
        return pending

    def _host_failed(
        self, report: AttemptReport, recipients: Sequence[LeasedRecipient], hop: NextHop, outcome: Outcome
    ) -> None:
        """What the last host tried said stays in the report if no further one is tried."""
        peer = peer_name(hop)
        for recipient in recipients:
            report.recipients[recipient.position] = RecipientReport(outcome=outcome, peer=peer)
        report.host_failure = f"{peer}: {outcome.reason}"
        self._hosts.note_failure(hop, self._monotonic())

    async def _open(self, hop: NextHop) -> tuple[NextHop, Connection]:
        """Return a connection, and the hop as which it is to be kept."""
        kept = self._pool.take(hop)
        if kept is not None:
            return hop, kept
        try:
            return hop, await self._connector.connect(hop)
        except ConnectFailed as failed:
            fallback = decide_fallback(hop.tls, failed.failure)
            if fallback is None:
                raise
            hop = replace(hop, tls=fallback)
        return hop, self._pool.take(hop) or await self._connector.connect(hop)

    async def _send(
        self,
        lease: Lease,
        hop: NextHop,
        connection: Connection,
        recipients: tuple[LeasedRecipient, ...],
        report: AttemptReport,
    ) -> Outcome | None:
        """Send one transaction and report on its recipients; return the outcome if it concerns the host alone."""
        message = lease.message
        copy = await self._find_copy(message, connection, recipients, report)
        if copy is None:
            return None
        unservable = find_unservable(
            [recipient.mailbox for recipient in recipients],
            reverse_path=message.envelope.reverse_path,
            has_utf8_header=copy.has_utf8_header,
            peer=connection.extensions,
        )
        report.add([r for r, lacks in zip(recipients, unservable, strict=True) if lacks], NO_SMTPUTF8, connection)
        served = [r for r, lacks in zip(recipients, unservable, strict=True) if not lacks]
        # Asked last, so that nothing waits between the answer and MAIL.
        if not served or self._is_on_hold(lease) or self._stop(message, served, report):
            return None
        result = await connection.send(_transaction(message, served, copy), copy.pieces())
        return _report_on(result, served, hop, connection, report)

    def _stop(self, message: QueuedMessage, recipients: Sequence[LeasedRecipient], report: AttemptReport) -> bool:
        """Report on recipients whose message its sender has stopped; return whether he has."""
        stop = self._find_stop(message)
        if stop is not None:
            report.add(recipients, stop)
        return stop is not None

    async def _find_copy(
        self,
        message: QueuedMessage,
        connection: Connection,
        recipients: Sequence[LeasedRecipient],
        report: AttemptReport,
    ) -> OutgoingCopy | None:
        """Return a copy the peer can take; else None, and the recipients are reported on."""
        try:
            copy = await self._copies.make(message, now=self._clock.now())
            assert copy is not None
            if copy.has_8bit_body and not connection.extensions.eight_bit_mime:
                copy = await self._copies.make(message, now=self._clock.now(), seven_bit=True)
        except Misconfigured as error:
            report.add(recipients, Outcome(verdict=Verdict.DEFERRED, reason=str(error)))
            return None
        if copy is None:
            report.add(recipients, NO_8BITMIME, connection)
        return copy


def _transaction(message: QueuedMessage, recipients: Sequence[LeasedRecipient], copy: OutgoingCopy) -> Transaction:
    paths = tuple([recipient.mailbox for recipient in recipients])
    reverse_path = message.envelope.reverse_path
    needs = find_needs(
        has_utf8_header=copy.has_utf8_header,
        has_8bit_body=copy.has_8bit_body,
        paths=paths if reverse_path is None else (*paths, reverse_path),
    )
    return Transaction(
        reverse_path=reverse_path,
        forward_paths=paths,
        size_octets=copy.size_octets,
        eight_bit_mime=needs.eight_bit_mime,
        smtputf8=needs.smtputf8,
    )


def _report_on(
    result: TransactionResult,
    recipients: Sequence[LeasedRecipient],
    hop: NextHop,
    connection: Connection,
    report: AttemptReport,
) -> Outcome | None:
    outcomes = classify_transaction(result)
    if outcomes[0].concerns_host:
        return outcomes[0]
    peer, tls = peer_name(hop), connection.tls
    for recipient, outcome in zip(recipients, outcomes, strict=True):
        report.recipients[recipient.position] = RecipientReport(outcome=outcome, peer=peer, tls=tls)
    return None


def peer_name(hop: NextHop) -> str:
    """Name a next hop in events and logs: "mx.example.com [192.0.2.1]:25"."""
    return f"{hop.host} [{hop.address}]:{hop.port}"


def local_failure(lease: Lease, error: BaseException) -> AttemptReport:
    """Report a fault of ours: everybody is deferred; the event names the kind of error and nothing of its text."""
    report = AttemptReport()
    report.add(
        lease.recipients,
        Outcome(verdict=Verdict.DEFERRED, reason=f"{FailureKind.LOCAL.value}: {type(error).__name__}"),
    )
    return report
