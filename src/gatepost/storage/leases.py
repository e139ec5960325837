"""Leases: of all processes on all machines that share a control plane, one does a thing at a time."""

from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, or_, update
from sqlalchemy.exc import IntegrityError

from gatepost.storage.database import Database
from gatepost.storage.schema import leases


class SqlLeases:
    """Leases in the control-plane database.

    Clocks of machines differ and processes stop for a while, so a lease keeps work from being done twice most of the
    time, not always: what is done under one must bear it.
    """

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def take(self, name: str, holder: str, *, now: datetime, until: datetime) -> bool:
        """Take a lease that is free, has run out or is the holder's own; return whether it is the holder's now."""
        free = or_(leases.c.holder == holder, leases.c.until <= now)
        values = {"holder": holder, "until": until}
        try:
            with self._database.writing() as connection:
                taken = connection.execute(update(leases).where(leases.c.name == name, free).values(values))
                if taken.rowcount:
                    return True
                connection.execute(insert(leases).values(name=name, **values))
                return True
        except IntegrityError:
            return False

    def give_back(self, name: str, holder: str) -> None:
        """Let another one take it at once."""
        with self._database.writing() as connection:
            connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
