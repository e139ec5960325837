"""``/v3/user/scheduled_sends``: batches of mail are paused, cancelled, and let go again.

A decision is exact when its answer is sent: no attempt of the batch's mail begins any more, on whatever worker. One
that is past MAIL at that moment runs to its end.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import FieldError, Problem, invalid, problem
from gatepost.mailflow.queue.batches import MAX_DECISIONS, BatchDecision, BatchStore, NotDecided
from gatepost.mailflow.queue.schedule import BatchStatus
from gatepost.primitives.clock import Clock
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.person import id_of
from gatepost.tenancy.audit.entry import Actor

_STATUSES: Final = {status.value: status for status in BatchStatus}
_STATUS_INVALID: Final = FieldError(message="status must be either cancel or pause", field="status")
_BATCH_MISSING: Final = FieldError(message="batch_id is required", field="batch_id")
_NOT_FOUND: Final = problem(404, "batch id not found", at="batch_id")
_NOT_DECIDED: Final = {
    NotDecided.UNKNOWN_BATCH: problem(400, "invalid batch id", at="batch_id"),
    NotDecided.DECIDED_BEFORE: problem(
        400, "A status for this batch id exists, try PATCH to update the status", at="batch_id"
    ),
    NotDecided.TOO_MANY: problem(
        400, f"at most {MAX_DECISIONS} batches can be paused or cancelled at a time: delete what is done", at="batch_id"
    ),
}

log = get_logger()


class ScheduledSend(Struct, frozen=True, kw_only=True):
    """What was decided about a batch."""

    batch_id: str
    status: Annotated[str, Meta(extra_json_schema={"enum": [*_STATUSES]})]


class ScheduledSendToMake(Struct, frozen=True, kw_only=True):
    """A decision about a batch."""

    batch_id: Annotated[str | UnsetType, Meta(description="Required; from `POST /v3/mail/batch`.")] = UNSET
    status: Annotated[str | UnsetType, Meta(description="Required.", extra_json_schema={"enum": [*_STATUSES]})] = UNSET


class ScheduledSendStatus(Struct, frozen=True, kw_only=True):
    """Another decision."""

    status: Annotated[str | UnsetType, Meta(description="Required.", extra_json_schema={"enum": [*_STATUSES]})] = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSends:
    """Pauses and cancels batches of the caller's account.

    Attributes:
        batches: Reads.
        batches_as: Decides, on the record as that actor's.
    """

    batches: BatchStore
    batches_as: Callable[[Actor], BatchStore]
    clock: Clock

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        many, one = "/v3/user/scheduled_sends", "/v3/user/scheduled_sends/{batch_id}"
        scope = "user.scheduled_sends"
        return (
            Operation(
                method="GET", path=many, name="ListScheduledSends", summary="List paused and cancelled batches.",
                scope=f"{scope}.read", run=self.list_all, gives={200: tuple[ScheduledSend, ...]},
            ),
            Operation(
                method="POST", path=many, name="CreateScheduledSend", summary="Pause or cancel a batch.",
                scope=f"{scope}.create", run=self.create, takes=ScheduledSendToMake, gives={201: ScheduledSend},
            ),
            Operation(
                method="GET", path=one, name="GetScheduledSend",
                summary="Show what was decided about a batch: a list of one; empty if nothing was.",
                scope=f"{scope}.read", run=self.show, gives={200: tuple[ScheduledSend, ...]}, refuses=(404,),
            ),
            Operation(
                method="PATCH", path=one, name="UpdateScheduledSend",
                summary="Pause a batch that was cancelled, or cancel one that was paused.",
                scope=f"{scope}.update", run=self.change, takes=ScheduledSendStatus, gives={204: None}, refuses=(404,),
            ),
            Operation(
                method="DELETE", path=one, name="DeleteScheduledSend",
                summary="Take a decision back: what waits of the batch is sent when its time comes.",
                scope=f"{scope}.delete", run=self.undo, gives={204: None}, refuses=(404,),
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer:
        """List what was decided."""
        decisions = self.batches.list_decisions(call.principal.account_id)
        return Answer(status=200, body=[_shown(decision) for decision in decisions])

    async def create(self, call: Call) -> Answer | Problem:
        """Pause or cancel."""
        wanted = cast("ScheduledSendToMake", call.body)
        status = _STATUSES.get(wanted.status) if isinstance(wanted.status, str) else None
        batch_id = wanted.batch_id
        if status is None or isinstance(batch_id, UnsetType):
            missing = [_BATCH_MISSING] if isinstance(batch_id, UnsetType) else []
            return invalid([*missing, *([_STATUS_INVALID] if status is None else [])])
        refused = await asyncio.to_thread(
            self.batches_as(call.actor).decide,
            call.principal.account_id,
            batch_id,
            status,
            self.clock.now(),
            at_most=MAX_DECISIONS,
        )
        if refused is not None:
            return _NOT_DECIDED[refused]
        _note(call, status.value)
        return Answer(status=201, body=ScheduledSend(batch_id=batch_id, status=status.value))

    async def show(self, call: Call) -> Answer | Problem:
        """Show what was decided about one batch."""
        account_id, batch_id = call.principal.account_id, call.parameters["batch_id"]
        if not self.batches.is_known(account_id, batch_id):
            return _NOT_FOUND
        status = self.batches.find_status(account_id, batch_id)
        return Answer(
            status=200, body=[_shown(BatchDecision(batch_id=batch_id, status=status))] if status is not None else []
        )

    async def change(self, call: Call) -> Answer | Problem:
        """Decide otherwise."""
        wanted = cast("ScheduledSendStatus", call.body).status
        status = _STATUSES.get(wanted) if isinstance(wanted, str) else None
        if status is None:
            return invalid([_STATUS_INVALID])
        batch_id = call.parameters["batch_id"]
        changed = await asyncio.to_thread(
            self.batches_as(call.actor).change, call.principal.account_id, batch_id, status, self.clock.now()
        )
        if not changed:
            return _NOT_FOUND
        _note(call, status.value)
        return Answer(status=204)

    async def undo(self, call: Call) -> Answer | Problem:
        """Take a decision back."""
        if not await asyncio.to_thread(
            self.batches_as(call.actor).undo, call.principal.account_id, call.parameters["batch_id"]
        ):
            return _NOT_FOUND
        _note(call, "none")
        return Answer(status=204)


def _shown(decision: BatchDecision) -> ScheduledSend:
    return ScheduledSend(batch_id=decision.batch_id, status=decision.status.value)


def _note(call: Call, status: str) -> None:
    log.info("batch_decided", account_id=call.principal.account_id, by=id_of(call.principal), status=status)
