from dataclasses import replace

import pytest

from gatepost.mailflow.delivery.outcome import (
    MAX_WORDS,
    UNANSWERED_DOT,
    Outcome,
    Verdict,
    classify_failure,
    classify_transaction,
    describe,
)
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.transaction import FailureKind, SessionFailure, Stage, TransactionResult

OK = Reply(250, "2.0.0", "ok")
GO = Reply(354, "", "go")
CLOSED = SessionFailure(kind=FailureKind.CLOSED, stage=Stage.FINAL_DOT)
TAKEN = TransactionResult(mail=OK, recipients=(OK,), data=GO, content=OK, dot_sent=True)


def one(result: TransactionResult) -> Outcome:
    (outcome,) = classify_transaction(result)
    return outcome


def test_a_positive_answer_to_the_dot_delivers() -> None:
    assert one(TAKEN) == Outcome(verdict=Verdict.DELIVERED, reply="250 2.0.0 ok")


@pytest.mark.parametrize("code", [450, 451, 452, 421, 550, 552, 553, 554, 571])
@pytest.mark.parametrize("stage", ["mail", "recipients", "data", "content"])
def test_4xx_defers_and_5xx_bounces_at_each_stage(code: int, stage: str) -> None:
    reply = Reply(code, "", "no")

    outcome = one(replace(TAKEN, **{stage: (reply,) if stage == "recipients" else reply}))

    assert outcome.verdict is (Verdict.BOUNCED if code >= 500 else Verdict.DEFERRED)
    assert outcome.reply == f"{code} no"
    assert not outcome.concerns_host


def test_each_recipient_has_its_own_answer() -> None:
    no, later = Reply(550, "5.1.1", "who"), Reply(450, "4.2.1", "grey")
    result = replace(TAKEN, recipients=(OK, no, later))

    assert [outcome.verdict for outcome in classify_transaction(result)] == [
        Verdict.DELIVERED,
        Verdict.BOUNCED,
        Verdict.DEFERRED,
    ]


@pytest.mark.parametrize(
    ("reply", "others", "verdict"),
    [
        pytest.param(Reply(552, "", "too many"), OK, Verdict.DEFERRED, id="552 after one was taken"),
        pytest.param(Reply(552, "5.5.3", "too many"), OK, Verdict.DEFERRED, id="552 5.5.3 after one was taken"),
        pytest.param(Reply(552, "5.2.2", "full"), OK, Verdict.BOUNCED, id="mailbox full"),
        pytest.param(Reply(552, "", "full"), Reply(550, "", "no"), Verdict.BOUNCED, id="552 and none was taken"),
        pytest.param(Reply(452, "4.5.3", "too many"), OK, Verdict.DEFERRED, id="452"),
    ],
)
def test_too_many_recipients_are_deferred_whatever_the_old_code_says(
    reply: Reply, others: Reply, verdict: Verdict
) -> None:
    assert classify_transaction(replace(TAKEN, recipients=(others, reply)))[1].verdict is verdict


@pytest.mark.parametrize("kind", [FailureKind.CLOSED, FailureKind.TIMED_OUT, FailureKind.VIOLATION])
def test_a_dot_without_an_answer_is_deferred_and_marked(kind: FailureKind) -> None:
    failure = SessionFailure(kind=kind, stage=Stage.FINAL_DOT)

    outcome = one(replace(TAKEN, content=None, failure=failure))

    assert outcome.verdict is Verdict.DEFERRED
    assert outcome.reason == f"{UNANSWERED_DOT}: {kind.value} at final dot"


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(replace(TAKEN, content=None, dot_sent=False), id="in the content"),
        pytest.param(replace(TAKEN, data=None, content=None, dot_sent=False), id="before DATA was answered"),
        pytest.param(replace(TAKEN, recipients=(None,), data=None, content=None, dot_sent=False), id="before RCPT"),
    ],
)
def test_a_connection_lost_before_the_dot_is_deferred_without_the_mark(result: TransactionResult) -> None:
    outcome = one(replace(result, failure=replace(CLOSED, stage=Stage.CONTENT)))

    assert outcome.verdict is Verdict.DEFERRED
    assert UNANSWERED_DOT not in outcome.reason
    assert not outcome.concerns_host


def test_a_recipient_refused_before_the_connection_was_lost_stays_refused() -> None:
    result = replace(TAKEN, recipients=(Reply(550, "", "no"), OK), content=None, failure=CLOSED)

    assert [outcome.verdict for outcome in classify_transaction(result)] == [Verdict.BOUNCED, Verdict.DEFERRED]


@pytest.mark.parametrize("mail", [None, Reply(421, "", "bye")], ids=["unanswered", "421"])
def test_a_session_that_ends_at_mail_concerns_the_host_only(mail: Reply | None) -> None:
    failure = SessionFailure(kind=FailureKind.SHUTTING_DOWN, stage=Stage.MAIL, reply=mail)
    result = TransactionResult(mail=mail, recipients=(None,), data=None, content=None, dot_sent=False, failure=failure)

    assert one(result).concerns_host
    assert one(result).verdict is Verdict.DEFERRED


@pytest.mark.parametrize("kind", list(FailureKind))
@pytest.mark.parametrize("code", [421, 450, 554])
def test_what_a_host_says_before_mail_never_bounces(kind: FailureKind, code: int) -> None:
    outcome = classify_failure(SessionFailure(kind=kind, stage=Stage.GREETING, reply=Reply(code, "", "no")))

    assert outcome.verdict is Verdict.DEFERRED
    assert outcome.reply == f"{code} no"


def test_words_are_bounded() -> None:
    reply = Reply(550, "", "x" * 10_000)

    assert len(one(replace(TAKEN, content=reply)).reply) == MAX_WORDS
    assert len(describe(replace(CLOSED, detail="y" * 10_000))) == MAX_WORDS
