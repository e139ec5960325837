"""The body of ``mail/send``, in which nothing is wrong, → drafts and options, one of each for each personalization."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import msgspec
from msgspec import UNSET, UnsetType

from gatepost.entrypoints.api.v3.mail_send_body import EmailAddress, MailAttachment, MailSend, Personalization
from gatepost.entrypoints.api.v3.mail_send_checks import listed, mapped, read_mailbox
from gatepost.entrypoints.api.v3.mail_send_option_checks import list_bypasses
from gatepost.mailflow.options import NO_OPTIONS, SendingOptions
from gatepost.mailflow.submission.compose import Draft
from gatepost.mailflow.submission.substitution import Footer, Substitution
from gatepost.standards.address import Mailbox
from gatepost.standards.message.header_build import NamedMailbox
from gatepost.standards.message.mime_build import Entity, build_attachment, build_text


def write_drafts(body: MailSend) -> Iterator[Draft]:
    """Make a draft of each personalization of a body in which nothing is wrong."""
    assert not isinstance(body.personalizations, UnsetType), "the body has been checked"
    assert not isinstance(body.from_, UnsetType), "the body has been checked"
    inline, attached = _write_attachments(body)
    author = _named(body.from_)
    single = () if isinstance(body.reply_to, UnsetType) else (body.reply_to,)
    reply_to = _all_named((*single, *listed(body.reply_to_list)))
    for each in body.personalizations:
        substitute = Substitution(_fill_sections(mapped(each.substitutions), Substitution(mapped(body.sections))))
        yield Draft(
            author=author if isinstance(each.from_, UnsetType) else _named(each.from_),
            to=_all_named(listed(each.to)),
            cc=_all_named(listed(each.cc)),
            bcc=_all_named(listed(each.bcc)),
            reply_to=reply_to,
            subject=substitute(each.subject if isinstance(each.subject, str) else str(body.subject)),
            texts=_write_texts(body, substitute),
            inline=inline,
            attachments=attached,
            headers=_merge_headers(body, each),
        )


def write_options(body: MailSend, now: datetime) -> Iterator[SendingOptions | None]:
    """Make the options of each personalization's message; None where there are none."""
    assert not isinstance(body.personalizations, UnsetType), "the body has been checked"
    tracking = b"" if isinstance(body.tracking_settings, UnsetType) else msgspec.json.encode(body.tracking_settings)
    for each in body.personalizations:
        send_at = body.send_at if isinstance(each.send_at, UnsetType) else each.send_at
        options = SendingOptions(
            categories=() if isinstance(body.categories, UnsetType) else body.categories,
            custom_args=tuple({**mapped(body.custom_args), **mapped(each.custom_args)}.items()),
            send_at=_instant(send_at, now),
            batch_id=body.batch_id if isinstance(body.batch_id, str) else "",
            bypasses=list_bypasses(body.mail_settings),
            tracking="" if tracking == b"{}" else tracking.decode(),
        )
        yield None if options == NO_OPTIONS else options


def _instant(send_at: int | UnsetType, now: datetime) -> datetime | None:
    """Return when to send; None for at once."""
    if isinstance(send_at, UnsetType) or send_at <= now.timestamp():
        return None
    return datetime.fromtimestamp(send_at, UTC)


def _fill_sections(substitutions: Mapping[str, str], fill: Substitution) -> Mapping[str, str]:
    return {tag: fill(text) for tag, text in substitutions.items()}


def _write_texts(body: MailSend, substitute: Substitution) -> tuple[Entity, ...]:
    assert not isinstance(body.content, UnsetType), "the body has been checked"
    footer = _read_footer(body)
    parts = [(str(part.type).lower(), substitute(str(part.value))) for part in body.content]
    return tuple([build_text(media_type, footer.add(media_type, text)) for media_type, text in parts])


def _read_footer(body: MailSend) -> Footer:
    footer = UNSET if isinstance(body.mail_settings, UnsetType) else body.mail_settings.footer
    if isinstance(footer, UnsetType) or footer.enable is not True:
        return Footer()
    return Footer(
        plain=footer.text if isinstance(footer.text, str) else "",
        html=footer.html if isinstance(footer.html, str) else "",
    )


def _write_attachments(body: MailSend) -> tuple[tuple[Entity, ...], tuple[Entity, ...]]:
    """Return what is shown within the text, and what hangs on the message."""
    attachments = () if isinstance(body.attachments, UnsetType) else body.attachments
    inline = [_write_attachment(each) for each in attachments if each.disposition == "inline"]
    attached = [_write_attachment(each) for each in attachments if each.disposition != "inline"]
    return tuple(inline), tuple(attached)


def _write_attachment(attachment: MailAttachment) -> Entity:
    return build_attachment(
        attachment.type if isinstance(attachment.type, str) else "application/octet-stream",
        str(attachment.content).encode("ascii"),
        filename=str(attachment.filename),
        is_inline=attachment.disposition == "inline",
        content_id=attachment.content_id if isinstance(attachment.content_id, str) else "",
    )


def _merge_headers(body: MailSend, personalization: Personalization) -> tuple[tuple[str, str], ...]:
    """Return the headers of the body, each replaced by the personalization's own of that name in whatever case."""
    own = mapped(personalization.headers)
    replaced = {name.lower() for name in own}
    shared = [(name, value) for name, value in mapped(body.headers).items() if name.lower() not in replaced]
    return (*shared, *own.items())


def _all_named(addresses: Sequence[EmailAddress]) -> tuple[NamedMailbox, ...]:
    return tuple([_named(address) for address in addresses])


def _named(address: EmailAddress) -> NamedMailbox:
    name = address.name if isinstance(address.name, str) else ""
    return NamedMailbox(cast("Mailbox", read_mailbox(address)), name)
