"""Lists of addresses and attempts at rest."""

from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import access_attempts, ip_access_lists, ip_access_rules
from gatepost.tenancy.access.ip_access.access_list import EVERYWHERE, AccessList, IPRule, ListMode, Verdict
from gatepost.tenancy.access.ip_access.attempt import Attempt, AuthMethod

_KIND: Final = (
    access_attempts.c.account_id == bindparam("account"),
    access_attempts.c.address == bindparam("peer"),
    access_attempts.c.method == bindparam("way"),
    access_attempts.c.verdict == bindparam("said"),
)
_COUNT_AGAIN: Final = (
    update(access_attempts)
    .where(*_KIND)
    .values(last_at=bindparam("at"), attempts=access_attempts.c.attempts + bindparam("times"))
)

#: Two processes together have never more than this to forget of one account at a time.
_MOST_FORGOTTEN: Final = 10_000


class SqlIPAccessStore:
    """Implements IPAccessStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def find(self, account_id: AccountId) -> AccessList:
        """Return the account's list."""
        with self._database.reading() as connection:
            return _find(connection, account_id)

    def change(
        self,
        account_id: AccountId,
        decide: Callable[[AccessList], AccessList | Deny],
        *,
        is_forced: bool = False,  # noqa: ARG002 - for the store that records
    ) -> AccessList | Deny:
        """Replace the account's list by what ``decide`` makes of the present one."""
        with self._database.writing() as connection:
            before = _find(connection, account_id)
            after = decide(before)
            if isinstance(after, AccessList) and after != before:
                _write(connection, account_id, before, after)
            return after


class SqlAccessAttemptStore:
    """Implements AttemptStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def record(self, attempts: Sequence[Attempt], *, keep: int, forget_before: datetime) -> None:
        """Add attempts to those of their kind; keep the latest of each account."""
        with self._database.writing() as connection:
            for attempt in attempts:
                _add(connection, attempt)
            # Of every account: one that nobody comes to any more must forget too.
            connection.execute(delete(access_attempts).where(access_attempts.c.last_at < forget_before))
            for account_id in {attempt.account_id for attempt in attempts}:
                _keep_latest(connection, account_id, keep)

    def list_recent(self, account_id: AccountId, limit: int) -> Sequence[Attempt]:
        """Return the account's attempts, the latest first."""
        statement = _latest_first(account_id).limit(limit)
        with self._database.reading() as connection:
            return [_attempt(row) for row in connection.execute(statement)]


def _find(connection: Connection, account_id: AccountId) -> AccessList:
    row = connection.execute(select(ip_access_lists).where(ip_access_lists.c.account_id == account_id)).one_or_none()
    if row is None:
        return EVERYWHERE
    rules = connection.execute(
        select(ip_access_rules).where(ip_access_rules.c.account_id == account_id).order_by(ip_access_rules.c.id)
    )
    return AccessList(mode=ListMode(row.mode), rules=tuple([_rule(each) for each in rules]), last_id=row.last_rule_id)


def _write(connection: Connection, account_id: AccountId, before: AccessList, after: AccessList) -> None:
    values = {"mode": after.mode.value, "last_rule_id": after.last_id}
    written = connection.execute(
        update(ip_access_lists).where(ip_access_lists.c.account_id == account_id).values(**values)
    )
    if not written.rowcount:
        connection.execute(insert(ip_access_lists).values(account_id=account_id, **values))
    kept = {rule.id for rule in after.rules}
    gone = [rule.id for rule in before.rules if rule.id not in kept]
    if gone:
        connection.execute(
            delete(ip_access_rules).where(ip_access_rules.c.account_id == account_id, ip_access_rules.c.id.in_(gone))
        )
    had = {rule.id for rule in before.rules}
    new = [_columns(account_id, rule) for rule in after.rules if rule.id not in had]
    if new:
        connection.execute(insert(ip_access_rules), new)


def _columns(account_id: AccountId, rule: IPRule) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "id": rule.id,
        "network": str(rule.network),
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
    }


def _rule(row: Row[Any]) -> IPRule:
    return IPRule(id=row.id, network=ip_network(row.network), created_at=row.created_at, updated_at=row.updated_at)


def _add(connection: Connection, attempt: Attempt) -> None:
    kind = {
        "account": attempt.account_id,
        "peer": attempt.address,
        "way": attempt.method.value,
        "said": attempt.verdict.value,
    }
    counted = connection.execute(_COUNT_AGAIN, kind | {"at": attempt.last_at, "times": attempt.count})
    if not counted.rowcount:
        connection.execute(
            insert(access_attempts).values(
                account_id=attempt.account_id,
                address=attempt.address,
                method=attempt.method.value,
                verdict=attempt.verdict.value,
                first_at=attempt.first_at,
                last_at=attempt.last_at,
                attempts=attempt.count,
            )
        )


def _latest_first(account_id: AccountId) -> Any:
    table = access_attempts.c
    return (
        select(access_attempts)
        .where(table.account_id == account_id)
        .order_by(table.last_at.desc(), table.address, table.method, table.verdict)
    )


def _keep_latest(connection: Connection, account_id: AccountId, keep: int) -> None:
    table = access_attempts.c
    for row in connection.execute(_latest_first(account_id).offset(keep).limit(_MOST_FORGOTTEN)).all():
        connection.execute(
            delete(access_attempts).where(
                table.account_id == account_id,
                table.address == row.address,
                table.method == row.method,
                table.verdict == row.verdict,
            )
        )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        account_id=row.account_id,
        address=row.address,
        method=AuthMethod(row.method),
        verdict=Verdict(row.verdict),
        first_at=row.first_at,
        last_at=row.last_at,
        count=row.attempts,
    )
