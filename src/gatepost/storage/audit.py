"""The audit log at rest."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, LargeBinary, Row, cast, func, insert, select, update
from sqlalchemy.sql.elements import Label

from gatepost.primitives.errors import Permanent
from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import accounts, audit_entries, audit_heads
from gatepost.tenancy.audit.chain import Fault, Head, KeptHead, Mac, StoredRecord, check_chain, extend
from gatepost.tenancy.audit.entry import AuditEntry, AuditEvent, UnreadableRecord, parse_entry
from gatepost.tenancy.audit.ports import Verification

_FETCHED_AT_ONCE: Final = 1000


def _octets(column: Any) -> Label[bytes]:
    # SQLite keeps in a column whatever somebody puts there, and a driver given text that is none refuses the row.
    # Cast, everything is octets, and what does not belong is found by comparison.
    return cast(column, LargeBinary).label(column.name)


_RECORDS: Final = select(
    cast(audit_entries.c.sequence, BigInteger).label("sequence"),
    _octets(audit_entries.c.record),
    _octets(audit_entries.c.link),
).order_by(audit_entries.c.sequence)
_HEADS: Final = select(
    audit_heads.c.account_id,
    cast(audit_heads.c.sequence, BigInteger).label("sequence"),
    _octets(audit_heads.c.link),
    _octets(audit_heads.c.code),
).order_by(audit_heads.c.account_id)


class SqlAuditLog:
    """Implements AuditLog."""

    def __init__(self, database: Database, mac: Mac) -> None:
        self._database: Final = database
        self._mac: Final = mac

    def unit_of_work(self) -> AbstractContextManager[object]:
        """Open a block whose changes commit together."""
        return self._database.writing()

    def append(self, event: AuditEvent) -> None:
        """Put an event at the end of its account's chain."""
        with self._database.writing() as connection:
            head = _find_head(connection, event.account_id)
            last = _find_last(connection, event.account_id)
            stored, new_head = extend(head, last, event, self._mac)
            connection.execute(
                insert(audit_entries).values(
                    account_id=event.account_id, sequence=stored.sequence, record=stored.record, link=stored.link
                )
            )
            values = {"sequence": new_head.sequence, "link": new_head.link, "code": new_head.code}
            if head is None:
                connection.execute(insert(audit_heads).values(account_id=event.account_id, **values))
            else:
                connection.execute(
                    update(audit_heads).where(audit_heads.c.account_id == event.account_id).values(**values)
                )

    def list_after(self, account_id: AccountId, sequence: int, limit: int) -> Sequence[AuditEntry]:
        """Return up to ``limit`` entries that follow that number, oldest first."""
        statement = _RECORDS.where(audit_entries.c.account_id == account_id, audit_entries.c.sequence > sequence).limit(
            limit
        )
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [_parse(account_id, row) for row in rows]

    def list_heads(self) -> Sequence[Head]:
        """Return where each chain ends, by account id."""
        with self._database.reading() as connection:
            return [_head(row) for row in connection.execute(_HEADS)]

    def verify(self, account_id: AccountId | None, kept: Sequence[KeptHead]) -> Verification:
        """Check one account's chain, or every one, as of one moment."""
        counted: Counter[AccountId] = Counter()
        with self._database.reading() as connection:
            found = [account_id] if account_id else _list_accounts(connection)
            wanted = sorted({*found, *(each.account_id for each in kept)})
            faults = [fault for each in wanted for fault in self._check(connection, each, kept, counted)]
            if account_id is None and (strays := _count_strays(connection)):
                text = f"{strays} entries belong to no account and have no head"
                faults.append(Fault(account_id=None, sequence=None, text=text))
        return Verification(accounts=len(wanted), entries=counted.total(), faults=tuple(faults))

    def _check(
        self, connection: Connection, account_id: AccountId, kept: Sequence[KeptHead], counted: Counter[AccountId]
    ) -> Iterator[Fault]:
        def records() -> Iterator[StoredRecord]:
            statement = _RECORDS.where(audit_entries.c.account_id == account_id)
            for row in connection.execute(statement, execution_options={"yield_per": _FETCHED_AT_ONCE}):
                counted[account_id] += 1
                yield StoredRecord(sequence=row.sequence, record=row.record, link=row.link)

        head = _find_head(connection, account_id)
        links = {each.sequence: each.link for each in kept if each.account_id == account_id}
        yield from check_chain(account_id, records(), head, links, self._mac)


def _find_head(connection: Connection, account_id: AccountId) -> Head | None:
    row = connection.execute(_HEADS.where(audit_heads.c.account_id == account_id)).one_or_none()
    return None if row is None else _head(row)


def _find_last(connection: Connection, account_id: AccountId) -> int:
    statement = select(func.max(_RECORDS.selected_columns.sequence)).where(audit_entries.c.account_id == account_id)
    return connection.execute(statement).scalar_one() or 0


def _list_accounts(connection: Connection) -> list[AccountId]:
    statement = select(_octets(accounts.c.id)).union(select(_octets(audit_heads.c.account_id)))
    return [AccountId(octets.decode("utf-8", "backslashreplace")) for octets in connection.execute(statement).scalars()]


def _count_strays(connection: Connection) -> int:
    known = select(accounts.c.id).union(select(audit_heads.c.account_id))
    statement = select(func.count()).select_from(audit_entries).where(audit_entries.c.account_id.not_in(known))
    return connection.execute(statement).scalar_one()


def _head(row: Row[str, int, bytes, bytes]) -> Head:
    return Head(account_id=row.account_id, sequence=row.sequence, link=row.link, code=row.code)


def _parse(account_id: AccountId, row: Row[int, bytes, bytes]) -> AuditEntry:
    try:
        return parse_entry(row.record)
    except UnreadableRecord as error:
        raise Permanent(
            f"entry {row.sequence} of the audit log of {account_id} cannot be read ({error}): run `gatepost audit "
            "verify`; if that finds no fault, a newer version wrote it"
        ) from error
