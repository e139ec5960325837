"""One judge for all fault runs: lost, duplicate, ghost, altered, stuck, and the books. Pure.

- lost: answered with 250, and neither at the sink, nor ended otherwise, nor still in the queue; "delivered" in the
  relay's own story without a copy at the sink is lost, too.
- duplicate: more copies of a recipient than one and one for each excuse. An excuse is a copy whose final dot the sink
  left unanswered, or one that came shortly before a process was killed, so that its settlement may not have been
  committed.
- ghost: a copy though the client was refused, or of something nobody sent, or to somebody it was not addressed to.
- altered: the octets differ from those sent, or more than trace and signature fields were put in front.
- stuck: still in the queue though the run waited for it to be empty.
- books: they do not balance, or differ from the events or from what the client was told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.history import Answer, Copy, History, Submission

ADDED_FIELDS = frozenset({"dkim-signature", "received"})
LIVE = frozenset({"queued", "held"})
ENDED_WITHOUT_COPY = frozenset({"bounced", "dropped", "expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a run allows.

    Attributes:
        may_stay: Recipients may still be queued at the end.
        excuse_seconds: How long before an interruption a copy may have come, to excuse a second one.
    """

    may_stay: bool = False
    excuse_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run came to; it is clean if ``violations`` is empty.

    Attributes:
        duplicates: Further copies in all, excused ones included.
        oldest_excuse: The longest time, in seconds, between a copy that came again and the kill that excuses it: how
            long a delivery took to be written down.
    """

    accepted: int
    duplicates: int
    oldest_excuse: float
    violations: tuple[str, ...]


def judge(history: History, rules: Rules | None = None) -> Verdict:
    """Judge a run."""
    rules = rules or Rules()
    copies = [copy for copy in history.copies if copy.is_taken]
    by_recipient: dict[tuple[str, str], list[Copy]] = defaultdict(list)
    for copy in copies:
        for recipient in copy.recipients:
            by_recipient[copy.uid, recipient].append(copy)
    violations = [
        *_find_lost(history, by_recipient, rules),
        *_find_duplicates(history, by_recipient, rules),
        *_find_ghosts(history, copies),
        *_find_altered(history, copies),
        *_find_book_faults(history),
    ]
    return Verdict(
        accepted=history.count(Answer.ACCEPTED),
        duplicates=sum(len(found) - 1 for found in by_recipient.values()),
        oldest_excuse=max((_age(copies, history.interruptions) for copies in by_recipient.values()), default=0.0),
        violations=tuple(violations),
    )


def _age(copies: list[Copy], interruptions: list[float]) -> float:
    """How long before the next interruption the first of several copies came."""
    if len(copies) < 2:
        return 0.0
    first = min(copy.at for copy in copies)
    return min((at - first for at in interruptions if at >= first), default=0.0)


def _find_lost(history: History, by_recipient: dict[tuple[str, str], list[Copy]], rules: Rules) -> Iterator[str]:
    for submission in history.submissions:
        for recipient in submission.recipients:
            ending = history.endings.get(recipient, "")
            has_copy = bool(by_recipient.get((submission.uid, recipient)))
            is_known = has_copy or ending in ENDED_WITHOUT_COPY | LIVE
            if submission.answer is Answer.ACCEPTED and (not is_known or (ending == "delivered" and not has_copy)):
                yield f"lost: {recipient} of {submission.uid} (the relay says: {ending or 'nothing'})"
            if ending in LIVE and not rules.may_stay:
                yield f"stuck: {recipient} of {submission.uid} is still {ending}"


def _find_duplicates(history: History, by_recipient: dict[tuple[str, str], list[Copy]], rules: Rules) -> Iterator[str]:
    for (uid, recipient), copies in by_recipient.items():
        excuses = sum(_is_excused(copy, history.interruptions, rules) for copy in copies)
        if len(copies) > 1 + excuses:
            yield f"duplicate: {recipient} of {uid} came {len(copies)} times, with {excuses} excuses"


def _is_excused(copy: Copy, interruptions: list[float], rules: Rules) -> bool:
    return not copy.is_answered or any(0 <= at - copy.at <= rules.excuse_seconds for at in interruptions)


def _find_ghosts(history: History, copies: list[Copy]) -> Iterator[str]:
    sent = {submission.uid: submission for submission in history.submissions}
    for copy in copies:
        submission = sent.get(copy.uid)
        if submission is None:
            yield f"ghost: nobody sent {copy.uid!r}, which came for {', '.join(copy.recipients)}"
        elif submission.answer in {Answer.REFUSED, Answer.ABORTED}:
            yield f"ghost: {copy.uid} came though it was {submission.answer.value} ({submission.reply})"
        elif strangers := set(copy.recipients) - set(submission.recipients):
            yield f"ghost: {copy.uid} came for {', '.join(sorted(strangers))}, whom it was not addressed to"


def _find_altered(history: History, copies: list[Copy]) -> Iterator[str]:
    sent: dict[str, Submission] = {submission.uid: submission for submission in history.submissions}
    for copy in copies:
        submission = sent.get(copy.uid)
        if submission is None:
            continue
        if copy.digest != submission.digest:
            yield f"altered: {copy.uid} is not what was sent"
        if not copy.added or not set(copy.added) <= ADDED_FIELDS:
            yield f"altered: {copy.uid} has {', '.join(copy.added) or 'nothing'} in front"


def _find_book_faults(history: History) -> Iterator[str]:
    for books in history.books:
        if books.difference:
            yield f"books: {books.account_id} is out by {books.difference}: {books}"
    if not history.books:
        if history.count(Answer.ACCEPTED):
            yield "books: there are none"
        return
    totals = Counter[str]()
    for books in history.books:
        totals.update({"processed": books.accepted, "delivered": books.delivered, "dropped": books.dropped})
        totals["bounce"] += books.bounced + books.expired
    for name in ("processed", "delivered", "dropped", "bounce"):
        if totals[name] != history.events[name]:
            yield f"books: {totals[name]} {name} in the ledger, {history.events[name]} in the events"
    least = sum(len(s.recipients) for s in history.submissions if s.answer is Answer.ACCEPTED)
    most = least + sum(len(s.recipients) for s in history.submissions if s.answer is Answer.UNKNOWN)
    if not least <= totals["processed"] <= most:
        yield f"books: {totals['processed']} accepted, but clients were told {least} to {most}"
