"""Every reason has words, and no words can be turned against us."""

import re
from enum import Enum

import pytest

from gatepost.entrypoints.smtp import reply_texts
from gatepost.mailflow.submission.policy import SubmissionDenial
from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import MessageId
from gatepost.standards.smtp.replies import Reply
from gatepost.tenancy.access.principal import AccessDenial
from gatepost.tenancy.access.sending_rate import LimitDenial

ALL_REASONS = [*AccessDenial, *SubmissionDenial, *LimitDenial]
HOSTILE = 'a\r\n250 2.0.0 Ok: queued as x\x00\x1b[2Jéü{detail}\u2028" ' + "x" * 5000
CONSTANTS = [value for value in vars(reply_texts).values() if isinstance(value, Reply)]


@pytest.mark.parametrize("detail", ["", "news@example.com", HOSTILE], ids=["none", "plain", "hostile"])
@pytest.mark.parametrize("reason", ALL_REASONS, ids=str)
def test_every_reason_becomes_one_ascii_line_within_512_octets(reason: Enum, detail: str) -> None:
    octets = reply_texts.reply_to_denial(Deny(reason, detail)).octets

    assert re.fullmatch(rb"[45]\d\d [45]\.\d{1,3}\.\d{1,3} [ -~]+\r\n", octets)
    assert len(octets) <= 512


@pytest.mark.parametrize("reason", ALL_REASONS, ids=str)
def test_no_placeholder_is_left(reason: Enum) -> None:
    assert "{" not in reply_texts.reply_to_denial(Deny(reason)).text


@pytest.mark.parametrize("reply", CONSTANTS, ids=str)
def test_every_other_reply_is_one_ascii_line(reply: Reply) -> None:
    assert re.fullmatch(rb"[45]\d\d [45]\.\d\.\d [ -~]+\r\n", reply.octets)
    assert len(reply.octets) <= 512


@pytest.mark.parametrize("reason", ALL_REASONS, ids=str)
def test_class_of_code_and_enhanced_code_agree(reason: Enum) -> None:
    reply = reply_texts.reply_to_denial(Deny(reason))

    assert str(reply.code)[0] == reply.enhanced[0]


@pytest.mark.parametrize("reason", LimitDenial, ids=str)
def test_a_limit_never_loses_a_message(reason: LimitDenial) -> None:
    assert reply_texts.reply_to_denial(Deny(reason)).is_transient


@pytest.mark.parametrize("reason", AccessDenial, ids=str)
def test_a_stranger_is_told_no_detail(reason: AccessDenial) -> None:
    assert reply_texts.reply_to_denial(Deny(reason, "acc_1")) == reply_texts.reply_to_denial(Deny(reason))


def test_detail_is_appended_where_the_client_can_use_it() -> None:
    reply = reply_texts.reply_to_denial(Deny(SubmissionDenial.AUTHOR_NOT_VERIFIED, "news@example.com"))

    assert reply.text.endswith("or that one address by POST /v3/verified_senders (news@example.com)")


def test_detail_is_escaped_and_cut() -> None:
    reply = reply_texts.reply_to_denial(Deny(SubmissionDenial.HEADER_MALFORMED, HOSTILE))

    assert r" (a\x0d\x0a250 2.0.0 Ok: queued as x\x00\x1b[2J\xe9\xfc{detail}" in reply.text
    assert len(reply.text.partition(" (")[2]) == reply_texts.MAX_DETAIL_CHARACTERS + len(")")
    assert reply.text.endswith("...)")


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (AccessDenial.BAD_CREDENTIAL, "535 5.7.8 Authentication failed: Bad username / password"),
        (
            AccessDenial.KEY_NOT_VALID,
            "535 5.7.8 Authentication failed: The provided authorization grant is invalid, expired, or revoked",
        ),
        (AccessDenial.ADDRESS_NOT_LISTED, "451 4.7.1 Authentication failed: Could not authenticate"),
        (AccessDenial.NETWORK_NOT_ALLOWED, "451 4.7.1 Authentication failed: Could not authenticate"),
        (AccessDenial.CREDITS_EXCEEDED, "451 4.7.1 Authentication failed: Maximum credits exceeded"),
        (
            AccessDenial.ACCOUNT_UNDER_REVIEW,
            "451 4.7.1 Authentication failed: The account is under review; try again later",
        ),
        (
            AccessDenial.SCOPE_MISSING,
            "535 5.7.8 Authentication failed: Authenticated user is not authorized to send mail",
        ),
    ],
    ids=str,
)
def test_words_of_the_dialect(reason: AccessDenial, line: str) -> None:
    assert str(reply_texts.reply_to_denial(Deny(reason))) == line


@pytest.mark.parametrize(
    "reason",
    [
        SubmissionDenial.AUTHOR_AMBIGUOUS,
        SubmissionDenial.AUTHOR_NOT_VERIFIED,
        SubmissionDenial.AUTHOR_NOT_ALLOWED,
        SubmissionDenial.SENDER_NOT_VERIFIED,
        SubmissionDenial.REVERSE_PATH_NOT_VERIFIED,
    ],
    ids=str,
)
def test_refused_senders_get_the_sentence_applications_look_for(reason: SubmissionDenial) -> None:
    reply = reply_texts.reply_to_denial(Deny(reason))

    assert str(reply).startswith(
        "550 5.7.1 The from address does not match a verified Sender Identity."
        " Mail cannot be sent until this error is resolved. "
    )


def test_a_queued_message_is_named_where_applications_read_it() -> None:
    reply = reply_texts.queued(MessageId("Yo60h6C5ScGPeP5fUWU3Kw"))

    assert reply.octets == b"250 2.0.0 Ok: queued as Yo60h6C5ScGPeP5fUWU3Kw\r\n"


def test_a_reason_nobody_knows_is_a_mistake_of_ours() -> None:
    class Other(Enum):
        REASON = "reason"

    with pytest.raises(KeyError):
        reply_texts.reply_to_denial(Deny(Other.REASON))
