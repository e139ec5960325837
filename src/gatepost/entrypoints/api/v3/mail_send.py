"""``POST /v3/mail/send``: one request, one message for each personalization, one durable step for all of them."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from msgspec import UnsetType

from gatepost.entrypoints.api.operation import KEYS_ONLY, Answer, Call, Operation
from gatepost.entrypoints.api.ports import Door
from gatepost.entrypoints.api.problem import (
    TOO_LARGE,
    FieldError,
    Problem,
    invalid,
    problem_of_submission,
)
from gatepost.entrypoints.api.v3.mail_send_body import EmailAddress, MailAttachment, MailSend, Personalization
from gatepost.entrypoints.api.v3.mail_send_checks import find_errors, listed, mapped, read_mailbox
from gatepost.mailflow.envelope import Origin
from gatepost.mailflow.submission.accept import RefusedAt
from gatepost.mailflow.submission.compose import BOUNDARY_OCTETS, Draft, compose
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.clock import Clock
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import MessageId
from gatepost.standards.address import Mailbox
from gatepost.standards.message.header_build import BuildError, NamedMailbox
from gatepost.standards.message.mime_build import Entity, build_attachment, build_text
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.scope import MAIL_SEND

#: A request's messages together: attachments are written once for each personalization.
MAX_REQUEST_OCTETS: Final = 64 << 20
#: Larger requests are read and written in a thread, so that sessions go on meanwhile.
_MAX_OCTETS_ON_THE_LOOP: Final = 1 << 18
_MAX_PERSONALIZATIONS_ON_THE_LOOP: Final = 20

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSending:
    """Sends mail; ``max_size_octets`` bounds each message."""

    door: Door
    clock: Clock
    entropy: Entropy
    metrics: Metrics
    max_size_octets: int

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        return (
            Operation(
                method="POST",
                path="/v3/mail/send",
                name="SendMail",
                summary="Send mail. 200 in sandbox mode, where everything is checked and nothing is sent.",
                scope=MAIL_SEND,
                run=self.send,
                takes=MailSend,
                gives={202: None, 200: None},
                callers=KEYS_ONLY,
            ),
        )

    async def send(self, call: Call) -> Answer | Problem:
        """Check a request, and hand its messages to the one door: all of them are taken, or none."""
        body = cast("MailSend", call.body)
        prepared = await self._prepare(call, body)
        if isinstance(prepared, Problem):
            self.metrics.submissions.add("refused", "request")
            return prepared
        if _is_sandboxed(body):
            refused = self.door.check_all(prepared)
            return Answer(status=200) if refused is None else self._refuse(call, refused)
        now = asyncio.get_running_loop().time
        began_at = now()
        outcome = await self.door.accept_all(prepared)
        if isinstance(outcome, RefusedAt):
            return self._refuse(call, outcome)
        self.metrics.accept_seconds.observe(now() - began_at)
        self._count_accepted(prepared, outcome)
        return Answer(status=202, headers={"X-Message-Id": outcome[0]})

    async def _prepare(self, call: Call, body: MailSend) -> Sequence[Submission] | Problem:
        # One system call for all of them; each is foreseen by nobody, and none is used twice.
        count = 0 if isinstance(body.personalizations, UnsetType) else len(body.personalizations)
        entropy = self.entropy.draw(BOUNDARY_OCTETS * max(count, 1))
        if call.size_octets > _MAX_OCTETS_ON_THE_LOOP or count > _MAX_PERSONALIZATIONS_ON_THE_LOOP:
            return await asyncio.to_thread(self._write, call, body, entropy)
        return self._write(call, body, entropy)

    def _write(self, call: Call, body: MailSend, entropy: bytes) -> Sequence[Submission] | Problem:
        errors = find_errors(body, self.clock.now())
        if errors:
            return invalid(errors)
        origin = Origin(protocol="HTTPS", peer_address=str(call.peer), tls=call.tls)
        submissions: list[Submission] = []
        left = MAX_REQUEST_OCTETS
        place = 0
        try:
            for place, draft in enumerate(write_drafts(body)):
                envelope, content = compose(draft, entropy[place * BOUNDARY_OCTETS :][:BOUNDARY_OCTETS])
                left -= content.size_octets
                if content.size_octets > self.max_size_octets or left < 0:
                    return TOO_LARGE
                submissions.append(Submission(principal=call.key, envelope=envelope, content=content, origin=origin))
        except BuildError as error:
            # The fields have been checked one by one; what is left comes from substitutions and from words too long.
            reason = f"The message cannot be written: {error}."
            return invalid([FieldError(message=reason, field=f"personalizations.{place}")])
        return submissions

    def _refuse(self, call: Call, refused: RefusedAt) -> Problem:
        reason = refused.denial.reason.value
        self.metrics.submissions.add("refused", reason)
        log.info("submission_refused", peer=str(call.peer), key_id=call.key.key_id, reason=reason)
        return problem_of_submission(refused.denial, refused.position)

    def _count_accepted(self, submissions: Sequence[Submission], ids: Sequence[MessageId]) -> None:
        metrics = self.metrics
        metrics.submissions.add("accepted", "", amount=len(ids))
        for submission, message_id in zip(submissions, ids, strict=True):
            recipients, size = len(submission.envelope.forward_paths), submission.content.size_octets
            metrics.recipients_accepted.add(amount=recipients)
            metrics.content_octets.add(amount=size)
            log.info(
                "submission_accepted",
                message_id=message_id,
                account_id=submission.principal.account_id,
                key_id=submission.principal.key_id,
                peer=submission.origin.peer_address,
                recipients=recipients,
                size_octets=size,
                request_id=ids[0],
            )


def write_drafts(body: MailSend) -> Iterator[Draft]:
    """Make a draft of each personalization of a body in which nothing is wrong."""
    assert not isinstance(body.personalizations, UnsetType), "the body has been checked"
    assert not isinstance(body.from_, UnsetType), "the body has been checked"
    inline, attached = _write_attachments(body)
    author = _named(body.from_)
    single = () if isinstance(body.reply_to, UnsetType) else (body.reply_to,)
    reply_to = _all_named((*single, *listed(body.reply_to_list)))
    for each in body.personalizations:
        substitute = Substitution(mapped(each.substitutions))
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


class Substitution:
    """Puts values in the place of tags: in one pass, so that a value is never searched for tags."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        # Longer tags first: "-name-" must not be found inside "-name-last-".
        tags = sorted(values, key=len, reverse=True)
        self._tags = re.compile("|".join(map(re.escape, tags))) if tags else None

    def __call__(self, text: str) -> str:
        """Return the text with every tag replaced."""
        return self._tags.sub(lambda tag: self._values[tag[0]], text) if self._tags else text


def _write_texts(body: MailSend, substitute: Substitution) -> tuple[Entity, ...]:
    assert not isinstance(body.content, UnsetType), "the body has been checked"
    return tuple([build_text(str(part.type).lower(), substitute(str(part.value))) for part in body.content])


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


def _is_sandboxed(body: MailSend) -> bool:
    settings = body.mail_settings
    if isinstance(settings, UnsetType) or isinstance(settings.sandbox_mode, UnsetType):
        return False
    return settings.sandbox_mode.enable is True
