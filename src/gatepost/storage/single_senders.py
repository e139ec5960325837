"""Single senders at rest, and their tokens as keyed hashes."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import single_senders
from gatepost.tenancy.access.current import Current
from gatepost.tenancy.access.ports import AccessVersion
from gatepost.tenancy.senders.single_sender import SenderDetails, SenderExists, SenderId, SenderState, SingleSender

MAX_REMEMBERED: Final = 20_000
"""How many answers ``is_verified`` remembers; beyond, it starts afresh. Clients choose what is asked."""

_COLUMNS: Final = tuple(column for column in single_senders.c if column.name != "token_hash")
_PENDING: Final = single_senders.c.state == SenderState.PENDING.value


class SqlSingleSenderStore:
    """Implements SingleSenderStore. ``is_verified`` answers from memory while nothing has changed."""

    def __init__(self, database: Database, version: AccessVersion) -> None:
        self._database: Final = database
        self._verified: Final[Current[dict[tuple[AccountId, str], bool]]] = Current(version, dict)

    def add(self, sender: SingleSender, token_hash: bytes) -> SenderId:
        """Store a new one."""
        statement = insert(single_senders).values(
            account_id=sender.account_id,
            email=sender.email,
            details=asdict(sender.details),
            state=sender.state.value,
            created_at=sender.created_at,
            verified_at=sender.verified_at,
            token_hash=token_hash,
            token_expires_at=sender.token_expires_at,
        )
        try:
            with self._database.writing() as connection:
                number = connection.execute(statement.returning(single_senders.c.id)).scalar_one()
        except IntegrityError as error:
            raise self._exists_or(error, sender.account_id, sender.email) from error
        return SenderId(number)

    def find(self, account_id: AccountId, number: SenderId) -> SingleSender | None:
        """Return the account's sender of that number."""
        with self._database.reading() as connection:
            row = connection.execute(select(*_COLUMNS).where(_is(account_id, number))).one_or_none()
        return None if row is None else _sender(row)

    def list_after(self, account_id: AccountId, after: SenderId, limit: int) -> Sequence[SingleSender]:
        """Return the account's senders, by number, from the one after that number on."""
        mine = and_(single_senders.c.account_id == account_id, single_senders.c.id > after)
        statement = select(*_COLUMNS).where(mine).order_by(single_senders.c.id).limit(limit)
        with self._database.reading() as connection:
            return [_sender(row) for row in connection.execute(statement)]

    def count(self, account_id: AccountId) -> int:
        """Return how many the account has."""
        statement = select(func.count()).where(single_senders.c.account_id == account_id)
        with self._database.reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def describe(self, account_id: AccountId, number: SenderId, details: SenderDetails) -> bool:
        """Change what the sender says about itself; return whether there is one."""
        return self._update(_is(account_id, number), details=asdict(details))

    def withdraw(self, account_id: AccountId, number: SenderId) -> None:
        """Make a VERIFIED sender PENDING, and its token worthless."""
        self._update(_is(account_id, number), state=SenderState.PENDING.value, token_hash=None, token_expires_at=None)

    def move(
        self, account_id: AccountId, number: SenderId, address: str, token_hash: bytes, token_expires_at: datetime
    ) -> bool:
        """Give the sender another address, PENDING, with a new token; return whether there is one."""
        try:
            return self._update(
                _is(account_id, number),
                email=address,
                state=SenderState.PENDING.value,
                verified_at=None,
                token_hash=token_hash,
                token_expires_at=token_expires_at,
            )
        except IntegrityError as error:
            raise self._exists_or(error, account_id, address) from error

    def renew(self, account_id: AccountId, number: SenderId, token_hash: bytes, token_expires_at: datetime) -> bool:
        """Replace the token of a PENDING sender; return whether there is one."""
        pending = and_(_is(account_id, number), _PENDING)
        return self._update(pending, token_hash=token_hash, token_expires_at=token_expires_at)

    def prove(self, account_id: AccountId, token_hash: bytes, now: datetime) -> SingleSender | None:
        """Burn the token and make its sender VERIFIED, in one statement."""
        c = single_senders.c
        live = and_(c.account_id == account_id, c.token_hash == token_hash, c.token_expires_at > now, _PENDING)
        proved = update(single_senders).where(live)
        values = {
            "state": SenderState.VERIFIED.value,
            "verified_at": now,
            "token_hash": None,
            "token_expires_at": None,
        }
        with self._database.writing() as connection:
            row = connection.execute(proved.values(values).returning(*_COLUMNS)).one_or_none()
        return None if row is None else _sender(row)

    def remove(self, account_id: AccountId, number: SenderId) -> bool:
        """Forget the sender; return whether there was one."""
        with self._database.writing() as connection:
            return connection.execute(delete(single_senders).where(_is(account_id, number))).rowcount == 1

    def is_verified(self, account_id: AccountId, address: str) -> bool:
        """Say whether the account has proved exactly that address."""
        held = self._verified.get()
        which = (account_id, address)
        try:
            return held[which]
        except KeyError:
            c = single_senders.c
            mine = and_(c.account_id == account_id, c.email == address, c.state == SenderState.VERIFIED.value)
            with self._database.reading() as connection:
                found = connection.execute(select(c.id).where(mine)).one_or_none() is not None
            held[which] = found
            if len(held) > MAX_REMEMBERED:
                self._verified.drop()
            return found

    def _update(self, which: ColumnElement[bool], **values: Any) -> bool:
        with self._database.writing() as connection:
            return connection.execute(update(single_senders).where(which).values(values)).rowcount == 1

    def _exists_or(self, error: IntegrityError, account_id: AccountId, address: str) -> Exception:
        c = single_senders.c
        with self._database.reading() as connection:
            taken = select(c.id).where(c.account_id == account_id, c.email == address)
            is_taken = connection.execute(taken).one_or_none() is not None
        return SenderExists(address) if is_taken else error


def _is(account_id: AccountId, number: SenderId) -> ColumnElement[bool]:
    return and_(single_senders.c.account_id == account_id, single_senders.c.id == number)


def _sender(row: Row[Any]) -> SingleSender:
    return SingleSender(
        id=SenderId(row.id),
        account_id=row.account_id,
        email=row.email,
        details=SenderDetails(**row.details),
        state=SenderState(row.state),
        created_at=row.created_at,
        verified_at=row.verified_at,
        token_expires_at=row.token_expires_at,
    )
