"""The ordered checks a submission must pass; the first Deny wins.

Some are asked early, at MAIL and RCPT, to spare the client the content; all are asked again where the message is
taken (``accept``), because that is the one door. Those that depend on rights stand apart (``decide_identity``): they
are asked last, of rights that were looked up anew. The body is never needed.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from gatepost.mailflow.content import Content
from gatepost.mailflow.envelope import Envelope
from gatepost.mailflow.submission.mailing import BadInstructions
from gatepost.mailflow.submission.smtpapi import NO_INSTRUCTIONS, Instructions, read_smtpapi
from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.standards.address import Mailbox
from gatepost.standards.message.author import AuthorError, find_author, find_resenders, find_sender
from gatepost.standards.message.header import (
    SINGLE_FIELDS,
    HeaderError,
    HeaderSection,
    HeaderTooLong,
    parse_header_section,
)
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.senders import alignment
from gatepost.tenancy.senders.alignment import AlignmentDenial, AllowedBy, VerifiedDomains

#: RFC 5321 §6.3 asks for 100 at least; no chain of relays in front of a submission service comes near 50.
MAX_RECEIVED_FIELDS: Final = 50

#: Top-level names that no DNS ever answers for: RFC 6761 §6.3 and §6.4, RFC 7686, RFC 9476. Names that stand for a
#: site (``.test``, ``.local``, ``.internal``) may have a static route and are left to delivery.
UNROUTABLE_TOP_LEVELS: Final = frozenset({"alt", "invalid", "localhost", "onion"})

_MAX_SHOWN_DOMAINS: Final = 5

#: Several From or Sender fields are refused with a reason of their own.
_SINGLE_FIELDS: Final = SINGLE_FIELDS - {b"from", b"sender"}


class SubmissionDenial(Enum):
    """Why a message, a reverse-path or a recipient was refused."""

    #: The header section cannot be read one way only, or breaks RFC 5322; detail says where.
    HEADER_MALFORMED = "header malformed"
    HEADER_TOO_LONG = "header too long"
    #: None, several, a group, or an address another reader could take differently; detail says which.
    AUTHOR_AMBIGUOUS = "author ambiguous"
    #: The author lies in no verified domain of the account.
    AUTHOR_NOT_VERIFIED = "author not verified"
    #: The key is restricted to other authors.
    AUTHOR_NOT_ALLOWED = "author not allowed"
    #: The Sender or a Resent field names somebody the account, or the key, may not use.
    SENDER_NOT_VERIFIED = "sender not verified"
    REVERSE_PATH_NOT_VERIFIED = "reverse-path not verified"
    #: An address literal, a single label, or our own name: nothing a public MX could answer for.
    RECIPIENT_NOT_ROUTABLE = "recipient not routable"
    #: The key is restricted to other recipients' domains; detail names them.
    RECIPIENT_NOT_ALLOWED = "recipient not allowed"
    #: Octets above 127 without BODY=8BITMIME (RFC 6152), or in the header section without SMTPUTF8 (RFC 6532).
    EIGHT_BIT_NOT_DECLARED = "8-bit not declared"
    #: More Received fields than a message that is not in a loop gathers (RFC 5321 §6.3).
    LOOP = "loop"
    #: X-SMTPAPI cannot be read, or asks for things that are not done; taking it would do something else than asked.
    X_SMTPAPI = "x-smtpapi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """In whose name a message speaks: what its header section says, read once and never again.

    Attributes:
        instructions: What the X-SMTPAPI field asks for.
    """

    author: Mailbox
    sender: Mailbox | None
    resenders: tuple[Mailbox, ...]
    instructions: Instructions = NO_INSTRUCTIONS


def decide_reverse_path(principal: Principal, reverse_path: Mailbox | None, domains: VerifiedDomains) -> Decision:
    """Decide at MAIL: may bounces go there? The null reverse-path is allowed; the author rule holds all the same."""
    if alignment.decide_reverse_path(principal.account_id, reverse_path, domains=domains):
        return ALLOW
    return Deny(SubmissionDenial.REVERSE_PATH_NOT_VERIFIED, str(reverse_path))


def decide_recipient(mailbox: Mailbox, own_host_names: Collection[str]) -> Decision:
    """Decide at RCPT: could a public MX, or a static route, answer for that domain?

    Args:
        mailbox: A forward-path.
        own_host_names: Names of this relay, normalised: it has no mailboxes, so mail to them would come back to it.
    """
    domain = mailbox.domain
    _, dot, top_level = domain.rpartition(".")
    if not dot or mailbox.is_address_literal or top_level in UNROUTABLE_TOP_LEVELS or domain in own_host_names:
        return Deny(SubmissionDenial.RECIPIENT_NOT_ROUTABLE, str(mailbox))
    return ALLOW


def decide_allowed_recipient(principal: Principal, mailbox: Mailbox) -> Decision:
    """Decide whether the principal's key may be used to write to that domain."""
    domains = principal.allowed_recipient_domains
    if not domains or mailbox.domain in domains:
        return ALLOW
    shown = ", ".join(domains[:_MAX_SHOWN_DOMAINS]) + (", and others" if len(domains) > _MAX_SHOWN_DOMAINS else "")
    return Deny(SubmissionDenial.RECIPIENT_NOT_ALLOWED, f"{mailbox}; only to {shown}")


def examine(content: Content, envelope: Envelope, now: datetime) -> Identity | Deny:
    """Read the header section and check all that does not depend on rights.

    Returns:
        In whose name the message speaks; or the first refusal, whose detail tells the client what to mend.
    """
    section = _read_header_section(content)
    if isinstance(section, Deny):
        return section
    for check in HEADER_CHECKS:
        decision = check(section, envelope)
        if isinstance(decision, Deny):
            return decision
    try:
        return Identity(
            author=find_author(section),
            sender=find_sender(section),
            resenders=find_resenders(section),
            instructions=read_smtpapi(section, now),
        )
    except AuthorError as error:
        return Deny(SubmissionDenial.AUTHOR_AMBIGUOUS, str(error))
    except BadInstructions as error:
        return Deny(SubmissionDenial.X_SMTPAPI, str(error))


def decide_identity(principal: Principal, envelope: Envelope, identity: Identity, domains: VerifiedDomains) -> Decision:
    """Decide, by rights looked up just now, whether the principal may speak and take bounces in these names."""
    for check in IDENTITY_CHECKS:
        decision = check(principal, envelope, identity, domains)
        if not decision:
            return decision
    return ALLOW


def _read_header_section(content: Content) -> HeaderSection | Deny:
    head = content.head()
    if len(head) < content.size_octets and b"\r\n\r\n" not in head:
        return Deny(SubmissionDenial.HEADER_TOO_LONG, f"the header section is longer than {len(head)} octets")
    try:
        section, _ = parse_header_section(head)
    except HeaderTooLong as error:
        return Deny(SubmissionDenial.HEADER_TOO_LONG, str(error))
    except HeaderError as error:
        return Deny(SubmissionDenial.HEADER_MALFORMED, str(error))
    return section


def _decide_utf8(section: HeaderSection, envelope: Envelope) -> Decision:
    if section.has_utf8 and not envelope.needs_smtputf8:
        return Deny(
            SubmissionDenial.EIGHT_BIT_NOT_DECLARED,
            "the header section holds octets above 127: encode them (RFC 2047) or send with SMTPUTF8",
        )
    return ALLOW


def _decide_repetition(section: HeaderSection, _: Envelope) -> Decision:
    repeated = section.find_repeated(_SINGLE_FIELDS)
    if repeated:
        return Deny(SubmissionDenial.HEADER_MALFORMED, f"there are several {repeated.decode()} fields: leave one")
    return ALLOW


def _decide_loop(section: HeaderSection, _: Envelope) -> Decision:
    received = len(section.find_all(b"received"))
    if received > MAX_RECEIVED_FIELDS:
        return Deny(SubmissionDenial.LOOP, f"{received} Received fields")
    return ALLOW


def _decide_recipients(principal: Principal, envelope: Envelope, _: Identity, _domains: VerifiedDomains) -> Decision:
    for forward_path in envelope.forward_paths if principal.allowed_recipient_domains else ():
        decision = decide_allowed_recipient(principal, forward_path)
        if isinstance(decision, Deny):
            return decision
    return ALLOW


def _decide_reverse_path(principal: Principal, envelope: Envelope, _: Identity, domains: VerifiedDomains) -> Decision:
    return decide_reverse_path(principal, envelope.reverse_path, domains)


def _decide_author(principal: Principal, _: Envelope, identity: Identity, domains: VerifiedDomains) -> Decision:
    decision = align(principal, identity.author, domains)
    if isinstance(decision, Deny):
        is_restricted = decision.reason is AlignmentDenial.AUTHOR_NOT_ALLOWED
        reason = SubmissionDenial.AUTHOR_NOT_ALLOWED if is_restricted else SubmissionDenial.AUTHOR_NOT_VERIFIED
        return Deny(reason, decision.detail)
    return ALLOW


def _decide_senders(principal: Principal, _: Envelope, identity: Identity, domains: VerifiedDomains) -> Decision:
    """Hold Sender and the Resent fields to the author's rule: readers show them as "on behalf of"."""
    sender = () if identity.sender is None else (identity.sender,)
    for mailbox in (*sender, *identity.resenders):
        decision = align(principal, mailbox, domains)
        if isinstance(decision, Deny):
            return Deny(SubmissionDenial.SENDER_NOT_VERIFIED, decision.detail)
    return ALLOW


def align(principal: Principal, mailbox: Mailbox, domains: VerifiedDomains) -> AllowedBy | Deny:
    """Decide by the author rule, with the reason of that rule."""
    return alignment.decide_author(
        principal.account_id, mailbox, allowed_authors=principal.allowed_authors, domains=domains
    )


HEADER_CHECKS: Final[tuple[Callable[[HeaderSection, Envelope], Decision], ...]] = (
    _decide_utf8,
    _decide_repetition,
    _decide_loop,
)

IDENTITY_CHECKS: Final[tuple[Callable[[Principal, Envelope, Identity, VerifiedDomains], Decision], ...]] = (
    _decide_reverse_path,
    _decide_author,
    _decide_senders,
    _decide_recipients,
)
