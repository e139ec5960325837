"""One message for many, written anew for each: ``to``, ``sub``, ``section``, ``send_each_at``, ``footer`` of X-SMTPAPI.

Each recipient gets a message of its own, in which nobody else is named; all of them go through the one door like any
other: what a message may not do, none of these may.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.options import NO_OPTIONS, SendingOptions
from gatepost.mailflow.submission.submission import Submission
from gatepost.mailflow.submission.substitution import NO_FOOTER, Footer, Substitution, TooMuchSubstituted, nest
from gatepost.standards.message.encoded_words import EncodedWordError, decode_all
from gatepost.standards.message.header import HeaderField, HeaderSection
from gatepost.standards.message.header_build import BuildError, NamedMailbox, build_address_field, build_text_field
from gatepost.standards.message.text_template import NotRewritable, TextTemplate

MAX_RECIPIENTS: Final = 1000
MAX_OCTETS: Final = 1 << 25
"""Of all messages written from one, together: they are in memory until they are stored."""

_ADDRESSING: Final = frozenset({b"to", b"cc", b"bcc"})
_INSTRUCTIONS: Final = b"x-smtpapi"


class BadInstructions(ValueError):
    """What X-SMTPAPI asks for cannot be carried out; the message says why, for the client to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """What is to be made of one message.

    Attributes:
        to: Its recipients, in the place of those of the envelope; nothing for those.
        values: By tag, a value for each recipient, in order.
        sections: By tag, what stands for it in values.
        send_each_at: For each recipient, when to send, None for at once; nothing for all alike.
        footer: Below every text.
    """

    to: tuple[NamedMailbox, ...] = ()
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sections: tuple[tuple[str, str], ...] = ()
    send_each_at: tuple[datetime | None, ...] = ()
    footer: Footer = NO_FOOTER

    @property
    def is_for_each(self) -> bool:
        """Whether every recipient gets a message of its own."""
        return bool(self.to or self.values or self.send_each_at)


@dataclass(frozen=True, slots=True)
class _Copy:
    """One message to be written; ``to`` is None where the fields that name recipients stay as they are."""

    to: NamedMailbox | None
    substitute: Substitution
    submission: Submission


def write_all(submission: Submission, mailing: Mailing, options: SendingOptions | None) -> tuple[Submission, ...]:
    """Write the messages of a mailing: at least one.

    Raises:
        BadInstructions: It cannot be carried out.
    """
    planned = list(_plan(submission, mailing, options))
    _require_room(submission, len(planned))
    try:
        message = b"".join(submission.content.chunks())
        template = TextTemplate(message, has_texts=bool(mailing.values) or mailing.footer != NO_FOOTER)
        return tuple(_write(template, planned, mailing.footer))
    except NotRewritable as error:
        raise BadInstructions(f"texts cannot be written for each recipient: {error}") from error


def _plan(submission: Submission, mailing: Mailing, options: SendingOptions | None) -> Iterator[_Copy]:
    """Yield the copies that are to be written, their contents still those of the original."""
    if not mailing.is_for_each:
        yield _Copy(None, Substitution({}), replace(submission, options=options))
        return
    envelope = submission.envelope
    recipients = mailing.to or tuple([NamedMailbox(path) for path in envelope.forward_paths])
    _require_complete(mailing, len(recipients))
    sections = dict(mailing.sections)
    for position, recipient in enumerate(recipients):
        if not envelope.needs_smtputf8 and not str(recipient.mailbox).isascii():
            raise BadInstructions("to holds an address beyond ASCII: send with SMTPUTF8")
        try:
            substitute = nest({tag: values[position] for tag, values in mailing.values}, sections)
        except TooMuchSubstituted as error:
            raise BadInstructions(f"sub cannot be carried out: {error}") from error
        send_at = mailing.send_each_at[position] if mailing.send_each_at else None
        yield _Copy(
            recipient if mailing.to else None,
            substitute,
            replace(
                submission,
                envelope=replace(envelope, forward_paths=(recipient.mailbox,)),
                options=_fill_options(options, substitute, send_at),
            ),
        )


def _require_complete(mailing: Mailing, recipients: int) -> None:
    if recipients > MAX_RECIPIENTS:
        raise BadInstructions(f"to holds {recipients} recipients: send to at most {MAX_RECIPIENTS} at a time")
    for tag, values in mailing.values:
        if len(values) != recipients:
            raise BadInstructions(f"sub holds {len(values)} values for {tag[:40]!r}, for {recipients} recipients")
    if mailing.send_each_at and len(mailing.send_each_at) != recipients:
        raise BadInstructions(f"send_each_at holds {len(mailing.send_each_at)} times, for {recipients} recipients")


def _require_room(submission: Submission, messages: int) -> None:
    if messages * submission.content.size_octets > MAX_OCTETS:
        raise BadInstructions(
            f"{messages} messages of {submission.content.size_octets} octets are to be written, more than {MAX_OCTETS} "
            "octets: send to fewer recipients at a time, or a smaller message"
        )


def _fill_options(
    options: SendingOptions | None, substitute: Substitution, send_at: datetime | None
) -> SendingOptions | None:
    given = options or NO_OPTIONS
    arguments = tuple([(name, substitute(text)) for name, text in given.custom_args])
    filled = replace(given, custom_args=arguments, send_at=send_at or given.send_at)
    return None if filled == NO_OPTIONS else filled


def _write(template: TextTemplate, planned: Sequence[_Copy], footer: Footer) -> Iterator[Submission]:
    size = 0
    for copy in planned:
        octets = _write_one(template, copy, footer)
        size += len(octets)
        if size > MAX_OCTETS:
            raise BadInstructions(f"the messages to be written are longer than {MAX_OCTETS} octets together")
        yield replace(copy.submission, content=MemoryContent(octets))


def _write_one(template: TextTemplate, copy: _Copy, footer: Footer) -> bytes:
    def change(media_type: str, text: str) -> str:
        return footer.add(media_type, copy.substitute(text))

    def amend(section: HeaderSection) -> HeaderSection:
        fields = [_fill_subject(field, copy.substitute) for field in section.fields if field.name != _INSTRUCTIONS]
        if copy.to is None:
            return HeaderSection(tuple(fields))
        to = HeaderField(b"to", build_address_field("To", [copy.to]))
        return HeaderSection((*[field for field in fields if field.name not in _ADDRESSING], to))

    try:
        return template.write(change, amend)
    except BuildError as error:
        raise BadInstructions(f"a header field cannot be written for each recipient: {error}") from error


def _fill_subject(field: HeaderField, substitute: Substitution) -> HeaderField:
    if field.name != b"subject":
        return field
    try:
        subject = decode_all(field.body.decode("utf-8"))
    except EncodedWordError as error:
        raise BadInstructions(f"the Subject cannot be read: {error}") from error
    filled = substitute(subject)
    return field if filled == subject else HeaderField(b"subject", build_text_field("Subject", filled))
