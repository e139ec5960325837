"""Credits at rest: rows of ``account_credits``, read and written within the caller's transaction."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from gatepost.primitives.ids import AccountId
from gatepost.storage.schema import account_credits
from gatepost.tenancy.accounts.credits import Allocation, CreditPeriod


def find(connection: Connection, account_id: AccountId) -> Allocation | None:
    """Return the account's credits; None where they are unlimited."""
    row = connection.execute(select(account_credits).where(account_credits.c.account_id == account_id)).one_or_none()
    return None if row is None else _allocation(row)


def store(connection: Connection, account_id: AccountId, allocation: Allocation | None) -> None:
    """Write the account's credits as they are now."""
    if allocation is None:
        connection.execute(delete(account_credits).where(account_credits.c.account_id == account_id))
        return
    values = {
        "period": allocation.period.value if allocation.period else None,
        "total": allocation.total,
        "extra": allocation.extra,
        "used": allocation.used,
        "since": allocation.since,
    }
    written = connection.execute(
        update(account_credits).where(account_credits.c.account_id == account_id).values(values)
    )
    if written.rowcount == 0:
        connection.execute(insert(account_credits).values(account_id=account_id, **values))


def take(
    connection: Connection,
    chain: Sequence[AccountId],
    wanted: int,
    *,
    spare: Callable[[int], int],
    now: datetime,
) -> int:
    """Take ``wanted`` credits and some to spare from every limited account of the chain, or none from any.

    The transaction is the only writer (``Database.writing``), so that what is read here is still so when written.
    """
    limited = _limited(connection, chain, now)
    if not limited:
        return wanted
    left = min(allocation.remaining for allocation in limited.values()) - wanted
    if left < 0:
        return 0
    count = wanted + spare(left)
    for account_id, allocation in limited.items():
        store(connection, account_id, replace(allocation, used=allocation.used + count))
    return count


def give_back(
    connection: Connection, chain: Sequence[AccountId], taken: int, *, taken_at: datetime, now: datetime
) -> None:
    """Give back what was taken then, where the period that it was taken from still goes on."""
    for account_id, allocation in _limited(connection, chain, now).items():
        if allocation.since <= taken_at:
            store(connection, account_id, replace(allocation, used=max(0, allocation.used - taken)))


def count(connection: Connection, chain: Sequence[AccountId], *, now: datetime) -> int | None:
    """Return how many credits the scarcest account of the chain has left; None if none is limited."""
    return min([each.remaining for each in _limited(connection, chain, now).values()], default=None)


def _limited(connection: Connection, chain: Sequence[AccountId], now: datetime) -> dict[AccountId, Allocation]:
    found = {account_id: find(connection, account_id) for account_id in chain}
    return {account_id: each.at(now) for account_id, each in found.items() if each is not None}


def _allocation(row: Row[Any]) -> Allocation:
    return Allocation(
        period=None if row.period is None else CreditPeriod(row.period),
        total=row.total,
        extra=row.extra,
        used=row.used,
        since=row.since,
    )
