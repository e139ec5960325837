"""``/v3/mail/batch``: ids under which mail can be paused or cancelled as one."""

import asyncio
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.mailflow.queue.batches import MAX_BATCHES, BatchStore, new_batch_id
from gatepost.primitives.clock import Clock
from gatepost.primitives.entropy import Entropy

_INVALID: Final = problem(400, "invalid batch id", at="batch_id")
_TOO_MANY: Final = problem(403, f"an account has at most {MAX_BATCHES} batch ids in 20 days: use one for more mail")


class BatchId(Struct, frozen=True, kw_only=True):
    """A batch."""

    batch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailBatches:
    """Makes and checks batch ids of the caller's account."""

    batches: BatchStore
    clock: Clock
    entropy: Entropy

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        return (
            Operation(
                method="POST", path="/v3/mail/batch", name="CreateMailBatch",
                summary="Make a batch id, for `mail/send` in the next 10 days.",
                scope="mail.batch.create", run=self.create, gives={201: BatchId},
            ),
            Operation(
                method="GET", path="/v3/mail/batch/{batch_id}", name="GetMailBatch",
                summary="Say whether mail can be put into a batch.",
                scope="mail.batch.read", run=self.show, gives={200: BatchId}, refuses=(400,),
            ),
        )  # fmt: skip

    async def create(self, call: Call) -> Answer | Problem:
        """Make a batch id."""
        batch_id = new_batch_id(self.entropy)
        added = await asyncio.to_thread(
            self.batches.add, call.principal.account_id, batch_id, self.clock.now(), at_most=MAX_BATCHES
        )
        return Answer(status=201, body=BatchId(batch_id=batch_id)) if added else _TOO_MANY

    async def show(self, call: Call) -> Answer | Problem:
        """Check a batch id."""
        batch_id = call.parameters["batch_id"]
        if not self.batches.is_valid(call.principal.account_id, batch_id, self.clock.now()):
            return _INVALID
        return Answer(status=200, body=BatchId(batch_id=batch_id))
