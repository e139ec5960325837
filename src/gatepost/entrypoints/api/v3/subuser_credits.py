"""``/v3/subusers/{name}/credits``: how much a subuser may send in a period; ``CreditMeter`` keeps it to that.

A limit that became smaller holds on every worker when it is answered. Whatever is written here, a subuser never sends
more than its parent has credits left: both are spent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.entrypoints.api.judged_act import do_judged
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.v3.subusers import Subusers
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.accounts.credits import (
    Allocation,
    CreditPeriod,
    CreditsExceeded,
    add_to_remaining,
    allocate,
)

_MAX_TOTAL: Final = 10**12
_READ, _UPDATE = "subusers.credits.read", "subusers.credits.update"
_UPDATE_REMAINING: Final = "subusers.credits.remaining.update"

_UNKNOWN: Final = problem(400, "No user found")
_TYPE: Final = problem(400, "Type should be set to 'recurring', 'nonrecurring', or 'unlimited'", at="type")
_FREQUENCY: Final = problem(
    400, "Reset frequency should be set to 'daily', 'weekly', or 'monthly'", at="reset_frequency"
)
_TOTAL: Final = problem(400, f"total should be a number from 1 to {_MAX_TOTAL}", at="total")
_NO_LIMIT: Final = problem(
    400, "the credits of this subuser are unlimited: nothing can be added", at="allocation_update"
)
_TOO_MANY: Final = problem(400, "fewer credits are left than are to be taken away", at="allocation_update")
_UPDATE_MISSING: Final = problem(
    400, f"a number from -{_MAX_TOTAL} to {_MAX_TOTAL} is required", at="allocation_update"
)


class CreditsToSet(Struct, frozen=True, kw_only=True):
    """How a subuser's credits are to be limited."""

    type: Annotated[str | UnsetType, Meta(description="unlimited, recurring or nonrecurring; required.")] = UNSET
    reset_frequency: Annotated[
        str | UnsetType | None, Meta(description="daily, weekly or monthly; required with recurring.")
    ] = UNSET
    total: Annotated[int | UnsetType | None, Meta(description="Recipients in a period; required unless unlimited.")] = (
        UNSET
    )


class CreditsToAdd(Struct, frozen=True, kw_only=True):
    """How many credits this period gets more, or fewer."""

    allocation_update: Annotated[int | UnsetType, Meta(description="Required; negative to take away.")] = UNSET


class Credits(Struct, frozen=True, kw_only=True):
    """A subuser's credits; the numbers are null where they are unlimited."""

    type: str
    reset_frequency: str | None
    remain: int | None
    total: int | None
    used: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubuserCredits:
    """Manages the credits of the caller's subusers."""

    subusers: Subusers

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        path = "/v3/subusers/{subuser_name}/credits"
        return (
            Operation(
                method="GET", path=path, name="GetSubuserCredits", summary="Show a subuser's credits.",
                scope=_READ, run=self.show, gives={200: Credits}, refuses=(400,),
            ),
            Operation(
                method="PUT", path=path, name="UpdateSubuserCredits",
                summary="Limit how many recipients a subuser may send to in a period.",
                scope=_UPDATE, run=self.set, takes=CreditsToSet, gives={200: Credits},
            ),
            Operation(
                method="PATCH", path=f"{path}/remaining", name="UpdateSubuserRemainingCredits",
                summary="Give a subuser more credits in this period, or fewer.",
                scope=_UPDATE_REMAINING, run=self.add, takes=CreditsToAdd, gives={200: Credits},
            ),
        )  # fmt: skip

    async def show(self, call: Call) -> Answer | Problem:
        """Show a subuser's credits as they stand now."""
        found = self.subusers.find(call)
        if isinstance(found, Problem):
            return _UNKNOWN
        return Answer(status=200, body=self._describe(self.subusers.accounts.find_allocation(found.id)))

    async def set(self, call: Call) -> Answer | Problem:
        """Limit a subuser's credits; what it has used of a period that goes on stays used."""
        wanted = cast("CreditsToSet", call.body)
        now = self.subusers.clock.now()
        if wanted.type == "unlimited":
            return await self._change(call, _UPDATE, lambda _: None)
        if wanted.type not in {"recurring", "nonrecurring"}:
            return _TYPE
        periods = {period.value: period for period in CreditPeriod}
        if wanted.type == "recurring" and wanted.reset_frequency not in periods:
            return _FREQUENCY
        total = wanted.total
        if not isinstance(total, int) or not 1 <= total <= _MAX_TOTAL:
            return _TOTAL
        period = periods[str(wanted.reset_frequency)] if wanted.type == "recurring" else None
        return await self._change(call, _UPDATE, lambda current: allocate(period, total, current, now))

    async def add(self, call: Call) -> Answer | Problem:
        """Give a subuser more credits in this period, or take some away."""
        count = cast("CreditsToAdd", call.body).allocation_update
        if isinstance(count, UnsetType) or abs(count) > _MAX_TOTAL:
            return _UPDATE_MISSING
        now = self.subusers.clock.now()

        def change(current: Allocation | None) -> Allocation:
            if current is None:
                raise LookupError
            return add_to_remaining(current, count, now)

        try:
            return await self._change(call, _UPDATE_REMAINING, change)
        except LookupError:
            return _NO_LIMIT
        except CreditsExceeded:
            return _TOO_MANY

    async def _change(
        self, call: Call, scope: str, change: Callable[[Allocation | None], Allocation | None]
    ) -> Answer | Problem:
        subusers = self.subusers

        def act() -> Account | Problem:
            found = subusers.find(call)
            if isinstance(found, Problem):
                return _UNKNOWN
            subusers.accounts_as(subusers.actor(call)).change_allocation(found.id, change)
            return found

        changed = await do_judged(subusers.acts, subusers.callers, call, scope=scope, act=act)
        if isinstance(changed, Problem):
            return changed
        # What workers had set aside under the old limit comes back to be counted under the new one.
        await subusers.rights_changed.settle()
        return Answer(status=200, body=self._describe(subusers.accounts.find_allocation(changed.id)))

    def _describe(self, allocation: Allocation | None) -> Credits:
        if allocation is None:
            return Credits(type="unlimited", reset_frequency=None, remain=None, total=None, used=None)
        now = allocation.at(self.subusers.clock.now())
        return Credits(
            type="nonrecurring" if now.period is None else "recurring",
            reset_frequency=None if now.period is None else now.period.value,
            remain=now.remaining,
            total=now.total + now.extra,
            used=now.used,
        )
