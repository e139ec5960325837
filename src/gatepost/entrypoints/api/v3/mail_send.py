"""``POST /v3/mail/send``: one request, one message for each personalization, one durable step for all of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from msgspec import UnsetType

from gatepost.entrypoints.api import idempotency
from gatepost.entrypoints.api.idempotency import Once
from gatepost.entrypoints.api.operation import KEYS_ONLY, Answer, Call, Operation
from gatepost.entrypoints.api.ports import Door
from gatepost.entrypoints.api.problem import (
    TOO_LARGE,
    FieldError,
    Problem,
    invalid,
    problem_of_submission,
)
from gatepost.entrypoints.api.v3.mail_send_body import MailSend
from gatepost.entrypoints.api.v3.mail_send_drafts import write_drafts, write_options
from gatepost.entrypoints.api.v3.mail_send_option_checks import Circumstances, find_errors
from gatepost.mailflow.envelope import Origin
from gatepost.mailflow.queue.batches import BatchStore
from gatepost.mailflow.submission.accept import RefusedAt
from gatepost.mailflow.submission.compose import BOUNDARY_OCTETS, compose
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.clock import Clock
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import MessageId
from gatepost.standards.message.header_build import BuildError
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
    batches: BatchStore
    once: Once
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
                refuses=(409, 422),
                headers={idempotency.HEADER: idempotency.DESCRIPTION},
            ),
        )

    async def send(self, call: Call) -> Answer | Problem:
        """Check a request, and hand its messages to the one door: all of them are taken, or none."""
        if _is_sandboxed(cast("MailSend", call.body)):
            return await self._try(call)
        return await self.once.carry_out(
            call, lambda token: self._send(call, token), lambda before: _accepted(before.message_id)
        )

    async def _try(self, call: Call) -> Answer | Problem:
        prepared = await self._prepare(call, cast("MailSend", call.body))
        refused = prepared if isinstance(prepared, Problem) else self.door.check_all(prepared)
        if isinstance(refused, RefusedAt):
            return self._refuse(call, refused)
        return Answer(status=200) if refused is None else refused

    async def _send(self, call: Call, token: tuple[str, bytes] | None) -> Answer | Problem:
        body = cast("MailSend", call.body)
        prepared = await self._prepare(call, body)
        if isinstance(prepared, Problem):
            self.metrics.submissions.add("refused", "request")
            return prepared
        now = asyncio.get_running_loop().time
        began_at = now()
        outcome = await self.door.accept_all(prepared, token=token)
        if isinstance(outcome, RefusedAt):
            return self._refuse(call, outcome)
        self.metrics.accept_seconds.observe(now() - began_at)
        self._count_accepted(prepared, outcome)
        return _accepted(outcome[0])

    async def _prepare(self, call: Call, body: MailSend) -> Sequence[Submission] | Problem:
        # One system call for all of them; each is foreseen by nobody, and none is used twice.
        count = 0 if isinstance(body.personalizations, UnsetType) else len(body.personalizations)
        entropy = self.entropy.draw(BOUNDARY_OCTETS * max(count, 1))
        if len(call.octets) > _MAX_OCTETS_ON_THE_LOOP or count > _MAX_PERSONALIZATIONS_ON_THE_LOOP:
            return await asyncio.to_thread(self._write, call, body, entropy)
        return self._write(call, body, entropy)

    def _write(self, call: Call, body: MailSend, entropy: bytes) -> Sequence[Submission] | Problem:
        now = self.clock.now()
        account_id = call.principal.account_id
        errors = find_errors(
            body, Circumstances(now=now, is_batch=lambda batch: self.batches.is_valid(account_id, batch, now))
        )
        if errors:
            return invalid(errors)
        origin = Origin(protocol="HTTPS", peer_address=str(call.peer), tls=call.tls)
        submissions: list[Submission] = []
        left = MAX_REQUEST_OCTETS
        place = 0
        try:
            for place, (draft, options) in enumerate(zip(write_drafts(body), write_options(body, now), strict=True)):
                envelope, content = compose(draft, entropy[place * BOUNDARY_OCTETS :][:BOUNDARY_OCTETS])
                left -= content.size_octets
                if content.size_octets > self.max_size_octets or left < 0:
                    return TOO_LARGE
                submissions.append(
                    Submission(principal=call.key, envelope=envelope, content=content, origin=origin, options=options)
                )
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


def _accepted(message_id: MessageId) -> Answer:
    return Answer(status=202, headers={"X-Message-Id": message_id})


def _is_sandboxed(body: MailSend) -> bool:
    settings = body.mail_settings
    if isinstance(settings, UnsetType) or isinstance(settings.sandbox_mode, UnsetType):
        return False
    return settings.sandbox_mode.enable is True
