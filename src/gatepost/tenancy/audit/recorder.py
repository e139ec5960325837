"""Recorder: writes down what one actor does, in the transaction in which it is done."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

from gatepost.primitives.clock import Clock
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.entry import Act, Actor, AuditEvent, Snapshot
from gatepost.tenancy.audit.ports import AuditLog


class Recorder:
    """One actor's pen. The stores that it is given to (``audited.py`` beside each port) record every change."""

    def __init__(self, log: AuditLog, actor: Actor, clock: Clock) -> None:
        self._log: Final = log
        self._actor: Final = actor
        self._clock: Final = clock

    def acting(self) -> AbstractContextManager[object]:
        """Open the unit of work that act and record share."""
        return self._log.unit_of_work()

    def record(
        self, account_id: AccountId, act: Act, subject: str, *, before: Snapshot | None, after: Snapshot | None
    ) -> None:
        """Write down an act, if it changed anything: a command that is given again leaves no second entry.

        What somebody of a parent does to a subuser is written into the chains of both.
        """
        if before == after:
            return
        event = AuditEvent(
            account_id=account_id,
            at=self._clock.now(),
            act=act,
            actor=self._actor,
            subject=subject,
            before=before,
            after=after,
        )
        self._log.append(event)
        parent = AccountId(self._actor.account)
        if parent and parent != account_id:
            # The parent's own things have names of the same form.
            itself = f"account/{account_id}"
            within = subject if subject == itself else f"{itself}/{subject}"
            self._log.append(replace(event, account_id=parent, subject=within))
