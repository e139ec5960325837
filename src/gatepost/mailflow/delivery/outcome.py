"""What became of each recipient, from what the peer said (RFC 5321 §4.2.1, §4.5.4.1, §4.5.3.1.10).

A refusal of the whole host (greeting, EHLO, TLS, no connection) never bounces anybody: another exchanger may take the
mail, or the same one later. A connection lost before the final dot is as if nothing had been sent; one lost after it
leaves us not knowing, and the only safe answer is to send again, which is written down as such (promise 7).
"""

from dataclasses import dataclass
from enum import Enum

from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.transaction import SessionFailure, TransactionResult

MAX_WORDS = 500
"""Characters of a peer's reply that are kept."""

UNANSWERED_DOT = "unanswered dot"
"""Marks, in an event's ``reason``, an attempt that may have succeeded unseen."""


class Verdict(Enum):
    """What an attempt came to for one recipient."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    #: By a decision of its sender, before anything was said to a host.
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One recipient's result.

    Attributes:
        reply: The peer's words, printable and bounded; "" where it said nothing.
        reason: Ours, for what no reply says.
        concerns_host: It says nothing about message or recipient: another host may be tried at once.
    """

    verdict: Verdict
    reply: str = ""
    reason: str = ""
    concerns_host: bool = False


def classify_transaction(result: TransactionResult) -> tuple[Outcome, ...]:
    """Return the outcome for each forward-path of a transaction, in order."""
    some_accepted = any(reply is not None and reply.is_positive for reply in result.recipients)
    return tuple([_classify_recipient(result, reply, some_accepted) for reply in result.recipients])


def classify_failure(failure: SessionFailure) -> Outcome:
    """Return the outcome for all recipients when a session ended before MAIL was answered."""
    return Outcome(
        verdict=Verdict.DEFERRED,
        reply=words(failure.reply) if failure.reply else "",
        reason=describe(failure),
        concerns_host=True,
    )


def describe(failure: SessionFailure) -> str:
    """Say in words how a session ended: "timed out at greeting", "TLS failed at TLS handshake: …"."""
    text = f"{failure.kind.value} at {failure.stage.value}"
    return f"{text}: {failure.detail}"[:MAX_WORDS] if failure.detail else text


def words(reply: Reply) -> str:
    """Return a reply as one line, bounded; the reader of replies has made it printable."""
    return str(reply).strip()[:MAX_WORDS]


def _classify_recipient(result: TransactionResult, reply: Reply | None, some_accepted: bool) -> Outcome:
    if result.mail is None or (result.mail.code == 421 and result.failure is not None):
        assert result.failure is not None
        return classify_failure(result.failure)
    if not result.mail.is_positive:
        return _refused(result.mail)
    if reply is not None and not reply.is_positive:
        too_many = some_accepted and reply.code == 552 and reply.enhanced in {"", "5.5.3"}
        return _refused(reply, transient=too_many)
    if reply is None or result.data is None:
        return _lost(result)
    if not result.data.is_positive:
        return _refused(result.data)
    if result.content is None:
        return _lost(result)
    if not result.content.is_positive:
        return _refused(result.content)
    return Outcome(verdict=Verdict.DELIVERED, reply=words(result.content))


def _refused(reply: Reply, *, transient: bool = False) -> Outcome:
    bounced = reply.is_permanent and not transient
    return Outcome(verdict=Verdict.BOUNCED if bounced else Verdict.DEFERRED, reply=words(reply))


def _lost(result: TransactionResult) -> Outcome:
    """The session ended between MAIL and the answer."""
    assert result.failure is not None
    reason = describe(result.failure)
    if result.dot_sent:
        reason = f"{UNANSWERED_DOT}: {reason}"
    return Outcome(
        verdict=Verdict.DEFERRED, reply=words(result.failure.reply) if result.failure.reply else "", reason=reason
    )
