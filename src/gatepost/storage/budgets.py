"""Budgets at rest: what has been taken of them, and to whom accounts have written."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import budget_uses, known_recipients
from gatepost.tenancy.access.budget import Charge
from gatepost.tenancy.access.ports import Short

#: Values in one statement; both engines take more.
_AT_A_TIME: Final = 500
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SqlBudgetStore:
    """Implements BudgetStore. One process writes at a time, so what a transaction has read stays true in it."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def take(
        self, account_id: AccountId, charges: Sequence[tuple[Charge, int]], *, recipients: Sequence[int], at: datetime
    ) -> tuple[int, ...] | Short:
        """Take each charge, and as much as there is of the share beside it; or nothing at all."""
        amounts: list[int] = []
        with self._database.writing() as connection:
            uses = [_read(connection, charge) for charge, _ in charges]
            for position, ((charge, share), use) in enumerate(zip(charges, uses, strict=True)):
                left = _left(charge, use)
                if left < charge.amount:
                    return Short(position=position, left=left)
                amounts.append(min(left, charge.amount + share))
            for (charge, _), use, amount in zip(charges, uses, amounts, strict=True):
                if amount:
                    _add(connection, charge, use, amount)
            _note(connection, account_id, recipients, (at - _EPOCH).days)
        return tuple(amounts)

    def look(self, charges: Sequence[Charge]) -> tuple[int, ...]:
        """Return how much nobody has taken yet of each limit."""
        with self._database.reading() as connection:
            return tuple([_left(charge, _read(connection, charge)) for charge in charges])

    def give_back(self, charges: Sequence[Charge]) -> None:
        """Undo these; of an hour or day that is over, nothing."""
        with self._database.writing() as connection:
            for charge in charges:
                connection.execute(
                    update(budget_uses)
                    .where(
                        _is_of(charge),
                        budget_uses.c.began_at == charge.began_at,
                        budget_uses.c.taken >= charge.amount,
                    )
                    .values(taken=budget_uses.c.taken - charge.amount)
                )

    def find_known(self, account_id: AccountId, recipients: Sequence[int]) -> frozenset[int]:
        """Return which of these the account has written to."""
        with self._database.reading() as connection:
            return _find_known(connection, account_id, recipients)

    def forget_oldest(self, *, kept: int) -> int:
        """Keep of each account those first written to last, to the day; it is counted first, and mostly done then."""
        account, day = known_recipients.c.account_id, known_recipients.c.noted_on
        with self._database.reading() as connection:
            full = connection.execute(select(account).group_by(account).having(func.count() > kept)).scalars().all()
            days = {
                each: connection.execute(
                    select(day).where(account == each).order_by(day.desc()).offset(kept).limit(1)
                ).scalar_one()
                for each in full
            }
        forgotten = 0
        for each, oldest_day in days.items():
            with self._database.writing() as connection:
                gone = delete(known_recipients).where(account == each, day <= oldest_day)
                forgotten += connection.execute(gone).rowcount
        return forgotten


def _is_of(charge: Charge) -> ColumnElement[bool]:
    return and_(
        budget_uses.c.account_id == charge.name.account_id,
        budget_uses.c.purse_id == charge.name.purse_id,
        budget_uses.c.measure == charge.name.measure.value,
    )


def _read(connection: Connection, charge: Charge) -> Any:
    statement = select(budget_uses.c.began_at, budget_uses.c.taken).where(_is_of(charge))
    return connection.execute(statement).one_or_none()


def _left(charge: Charge, use: Any) -> int:
    # A clock that was set back does not begin an hour anew that has been counted already.
    taken = 0 if use is None or use.began_at < charge.began_at else use.taken
    return max(0, charge.name.limit - taken)


def _add(connection: Connection, charge: Charge, use: Any, amount: int) -> None:
    name = charge.name
    if use is None:
        connection.execute(
            insert(budget_uses).values(
                account_id=name.account_id,
                purse_id=name.purse_id,
                measure=name.measure.value,
                began_at=charge.began_at,
                taken=amount,
            )
        )
        return
    is_over = use.began_at < charge.began_at
    values = {"began_at": charge.began_at, "taken": amount} if is_over else {"taken": use.taken + amount}
    connection.execute(update(budget_uses).where(_is_of(charge)).values(values))


def _note(connection: Connection, account_id: AccountId, recipients: Sequence[int], day: int) -> None:
    known = _find_known(connection, account_id, recipients)
    rows = [
        {"account_id": account_id, "digest": digest, "noted_on": day} for digest in recipients if digest not in known
    ]
    if rows:
        connection.execute(insert(known_recipients), rows)


def _find_known(connection: Connection, account_id: AccountId, recipients: Sequence[int]) -> frozenset[int]:
    found: set[int] = set()
    for some in _pieces(recipients):
        statement = select(known_recipients.c.digest).where(
            known_recipients.c.account_id == account_id, known_recipients.c.digest.in_(some)
        )
        found.update(connection.execute(statement).scalars())
    return frozenset(found)


def _pieces(values: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(values), _AT_A_TIME):
        yield values[start : start + _AT_A_TIME]
