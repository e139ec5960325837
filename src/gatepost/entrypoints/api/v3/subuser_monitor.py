"""``/v3/subusers/{name}/monitor``: every n-th message of a subuser is copied to an address of its parent's choice."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import FieldError, Problem, invalid, problem
from gatepost.entrypoints.api.v3.subusers import Subusers
from gatepost.standards.address import AddressError, Mailbox, parse_mailbox
from gatepost.tenancy.accounts.account import Account, Monitor

_MAX_FREQUENCY: Final = 10**9
_SCOPE: Final = "subusers.monitor"
_NONE: Final = problem(404, "no monitor is set for this subuser")


class MonitorWanted(Struct, frozen=True, kw_only=True):
    """A monitor that is wanted."""

    email: Annotated[str | UnsetType, Meta(description="Required: who gets the copies.")] = UNSET
    frequency: Annotated[int | UnsetType, Meta(description="Required: of so many messages one is copied.")] = UNSET


class MonitorShown(Struct, frozen=True, kw_only=True):
    """A monitor."""

    email: str
    frequency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubuserMonitor:
    """Manages the monitors of the caller's subusers."""

    subusers: Subusers

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        path = "/v3/subusers/{subuser_name}/monitor"
        return (
            Operation(
                method="GET", path=path, name="GetSubuserMonitor", summary="Show a subuser's monitor.",
                scope=f"{_SCOPE}.read", run=self.show, gives={200: MonitorShown}, refuses=(400, 404),
            ),
            Operation(
                method="POST", path=path, name="CreateSubuserMonitor", summary="Have some of a subuser's mail copied.",
                scope=f"{_SCOPE}.create", run=self.create, takes=MonitorWanted, gives={200: MonitorShown},
            ),
            Operation(
                method="PUT", path=path, name="UpdateSubuserMonitor", summary="Replace a subuser's monitor.",
                scope=f"{_SCOPE}.update", run=self.update, takes=MonitorWanted, gives={200: MonitorShown},
            ),
            Operation(
                method="DELETE", path=path, name="DeleteSubuserMonitor", summary="Have nothing copied any more.",
                scope=f"{_SCOPE}.delete", run=self.delete, gives={204: None}, refuses=(400,),
            ),
        )  # fmt: skip

    async def show(self, call: Call) -> Answer | Problem:
        """Show it, if there is one."""
        found = self.subusers.find(call)
        if isinstance(found, Problem):
            return found
        return _NONE if found.monitor is None else Answer(status=200, body=_shown(found.monitor))

    async def create(self, call: Call) -> Answer | Problem:
        """Set it, in the place of any other."""
        return await self._set(call, "create")

    async def update(self, call: Call) -> Answer | Problem:
        """Set it, in the place of any other."""
        return await self._set(call, "update")

    async def delete(self, call: Call) -> Answer | Problem:
        """Take it away, if there is one."""
        changed = await self._change(call, "delete", lambda subuser: replace(subuser, monitor=None))
        return changed if isinstance(changed, Problem) else Answer(status=204)

    async def _set(self, call: Call, verb: str) -> Answer | Problem:
        monitor = _read(cast("MonitorWanted", call.body))
        if isinstance(monitor, Problem):
            return monitor
        changed = await self._change(call, verb, lambda subuser: replace(subuser, monitor=monitor))
        return changed if isinstance(changed, Problem) else Answer(status=200, body=_shown(monitor))

    async def _change(self, call: Call, verb: str, change: Callable[[Account], Account]) -> Account | Problem:
        return await self.subusers.change(call, change, scope=f"{_SCOPE}.{verb}")


def _read(wanted: MonitorWanted) -> Monitor | Problem:
    errors, mailbox = [], _read_mailbox(wanted.email)
    if mailbox is None:
        errors.append(FieldError(message="a valid email address is required", field="email"))
    if isinstance(wanted.frequency, UnsetType) or not 1 <= wanted.frequency <= _MAX_FREQUENCY:
        errors.append(FieldError(message=f"frequency must be a number from 1 to {_MAX_FREQUENCY}", field="frequency"))
    if mailbox is None or isinstance(wanted.frequency, UnsetType) or errors:
        return invalid(errors)
    return Monitor(mailbox=mailbox, frequency=wanted.frequency)


def _read_mailbox(text: str | UnsetType) -> Mailbox | None:
    try:
        mailbox = None if isinstance(text, UnsetType) else parse_mailbox(text.strip().encode(), allow_utf8=False)
    except (AddressError, UnicodeEncodeError):
        return None
    return None if mailbox is None or mailbox.is_address_literal or "." not in mailbox.domain else mailbox


def _shown(monitor: Monitor) -> MonitorShown:
    return MonitorShown(email=str(monitor.mailbox), frequency=monitor.frequency)
