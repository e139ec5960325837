"""One judge for all fault runs: lost, duplicate, ghost, altered, stuck, and the books. Pure.

- lost: answered with 250, and neither at the sink, nor ended otherwise, nor still in the queue; "delivered" in the
  relay's own story without a copy at the sink is lost, too.
- duplicate: more copies of a recipient than one and one for each excuse. An excuse is a copy whose final dot the sink
  left unanswered, or one sent by a process that we killed before it can have written the delivery down: before the
  sink answered, or so shortly afterwards that its log does not say that the delivery was written down. Another
  process's death excuses nothing.
- ghost: a copy though the client was refused, or of something nobody sent, or to somebody it was not addressed to.
- altered: the octets differ from those sent, or more than trace and signature fields were put in front.
- stuck: still in the queue though the run waited for it to be empty.
- books: they do not balance, or differ from the events or from what the client was told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.history import Answer, Copy, History, Kill, Submission

ADDED_FIELDS = frozenset({"dkim-signature", "received"})
LIVE = frozenset({"queued", "held"})
ENDED_WITHOUT_COPY = frozenset({"bounced", "dropped", "expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a run allows.

    Attributes:
        may_stay: Recipients may still be queued at the end.
        excuse_seconds: How long it may take from the answer to a dot until the delivery is written down. Campaigns that
            kill take what the run itself needed at most (``longest_settling``).
    """

    may_stay: bool = False
    excuse_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run came to; it is clean if ``violations`` is empty.

    Attributes:
        accepted, recipients: Messages that the client heard 250 or 202 for, and their recipients.
        duplicates: Further copies of a recipient's message in all, excused ones included.
        oldest_excuse: The longest time, in seconds, from the answer to a copy that came again to its sender's end.
    """

    accepted: int
    recipients: int
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
        recipients=sum(len(one.recipients) for one in history.submissions if one.answer is Answer.ACCEPTED),
        duplicates=sum(len(found) - 1 for found in by_recipient.values()),
        oldest_excuse=max((_age(copies, history.kills) for copies in by_recipient.values()), default=0.0),
        violations=tuple(violations),
    )


def longest_settling(history: History) -> float:
    """Return the longest of ``settling_times``; 0 if there is none."""
    return max(settling_times(history), default=0.0)


def settling_times(history: History) -> list[float]:
    """Return how many seconds each delivery took from the sink's answer to the log line that it is written down."""
    return [
        said.at - copy.answered_at
        for copy in history.copies
        for recipient in copy.recipients
        for said in history.settled.get(recipient, ())
        if copy.is_taken and copy.is_answered and said.pid == copy.pid
    ]


def _age(copies: list[Copy], kills: list[Kill]) -> float:
    """How long after the answer to the first of several copies its sender was killed."""
    if len(copies) < 2:
        return 0.0
    first = min(copies, key=lambda copy: copy.at)
    return max((kill.at - first.answered_at for kill in kills if kill.pid == first.pid), default=0.0)


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
        if len(copies) == 1:
            continue
        settled_by = {said.pid for said in history.settled.get(recipient, ())}
        excuses = sum(_is_excused(copy, history.kills, settled_by, rules) for copy in copies)
        if len(copies) > 1 + excuses:
            story = ", ".join(_describe(copy, history.kills, settled_by) for copy in sorted(copies, key=lambda c: c.at))
            yield f"duplicate: {recipient} of {uid} came {len(copies)} times, with {excuses} excuses ({story})"


def _is_excused(copy: Copy, kills: list[Kill], settled_by: set[int], rules: Rules) -> bool:
    if not copy.is_answered:
        return True
    if copy.pid in settled_by:
        return False
    return any(kill.pid == copy.pid and kill.at - copy.answered_at <= rules.excuse_seconds for kill in kills)


def _describe(copy: Copy, kills: list[Kill], settled_by: set[int]) -> str:
    """Tell one copy's story."""
    words = [f"by {copy.pid}", f"answered at {copy.answered_at:.3f}" if copy.is_answered else "unanswered"]
    words += [f"killed {kill.at - copy.answered_at:.3f} s later" for kill in kills if kill.pid == copy.pid]
    words += ["written down"] if copy.pid in settled_by else []
    return " ".join(words)


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
