"""People and their second factors at rest."""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId, TeammateId
from gatepost.storage.database import Database
from gatepost.storage.schema import passkeys, recovery_codes, teammates, totp_factors
from gatepost.tenancy.accounts.person_ports import NameTaken
from gatepost.tenancy.accounts.teammate import Role, Teammate
from gatepost.tenancy.accounts.two_factor import Factors, Passkey, TotpFactor

_PERSON: Final = tuple(column for column in teammates.c if column is not teammates.c.sealed_password)


class SqlTeammateStore:
    """Implements TeammateStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def add(self, teammate: Teammate) -> None:
        """Store a new person, without a password."""
        values = {"id": teammate.id, "account_id": teammate.account_id, "created_at": teammate.created_at}
        with self._database.writing() as connection:
            _require_free(connection, teammate)
            connection.execute(insert(teammates).values(**values, **_columns(teammate)))

    def find(self, account_id: AccountId, teammate_id: TeammateId) -> Teammate | None:
        """Return the account's person of that id."""
        return self._find(teammates.c.account_id == account_id, teammates.c.id == teammate_id)

    def find_by_username(self, account_id: AccountId, username: str) -> Teammate | None:
        """Return the account's person of that user name."""
        return self._find(teammates.c.account_id == account_id, teammates.c.username == username.lower())

    def resolve(self, name: str) -> Teammate | None:
        """Return the person who signs in with that user name or address, whichever account he is in."""
        column = teammates.c.email if "@" in name else teammates.c.username
        return self._find(column == name.strip().lower())

    def list_all(self, account_id: AccountId) -> Sequence[Teammate]:
        """Return the account's people, oldest first."""
        statement = select(*_PERSON).where(teammates.c.account_id == account_id)
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(teammates.c.created_at, teammates.c.id))
            return [_person(row) for row in rows]

    def replace(self, teammate: Teammate) -> bool:
        """Store all that may change of a person; return whether the account has him."""
        with self._database.writing() as connection:
            _require_free(connection, teammate)
            return connection.execute(update(teammates).where(_is(teammate)).values(_columns(teammate))).rowcount == 1

    def remove(self, account_id: AccountId, teammate_id: TeammateId) -> bool:
        """Forget a person; whatever refers to him goes with him."""
        statement = delete(teammates).where(teammates.c.account_id == account_id, teammates.c.id == teammate_id)
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1

    def find_password(self, person: Teammate) -> bytes | None:
        """Return the sealed password hash; None if the person has no password."""
        with self._database.reading() as connection:
            return connection.execute(select(teammates.c.sealed_password).where(_is(person))).scalar()

    def set_password(self, person: Teammate, sealed: bytes | None) -> None:
        """Replace it, or take it away."""
        with self._database.writing() as connection:
            connection.execute(update(teammates).where(_is(person)).values(sealed_password=sealed))

    def _find(self, *conditions: Any) -> Teammate | None:
        with self._database.reading() as connection:
            row = connection.execute(select(*_PERSON).where(*conditions)).one_or_none()
        return None if row is None else _person(row)


class SqlFactorStore:
    """Implements FactorStore. A row belongs to the account that its person is in; each statement asks for both."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def describe(self, person: Teammate) -> Factors:
        """Return what the person has."""
        unused = select(func.count()).where(_of(recovery_codes, person), recovery_codes.c.used_at.is_(None))
        keys = select(passkeys).where(_of(passkeys, person)).order_by(passkeys.c.created_at, passkeys.c.id)
        with self._database.reading() as connection:
            return Factors(
                has_totp=connection.execute(select(1).where(_of(totp_factors, person))).first() is not None,
                passkeys=tuple([_passkey(row) for row in connection.execute(keys)]),
                recovery_codes_left=connection.execute(unused).scalar_one(),
            )

    def find_totp(self, person: Teammate) -> TotpFactor | None:
        """Return the authenticator application."""
        with self._database.reading() as connection:
            row = connection.execute(select(totp_factors).where(_of(totp_factors, person))).one_or_none()
        return None if row is None else TotpFactor(sealed_secret=row.sealed_secret, enrolled_at=row.enrolled_at)

    def put_totp(self, person: Teammate, factor: TotpFactor, step: int) -> None:
        """Store an authenticator application in the place of any other."""
        with self._database.writing() as connection:
            connection.execute(delete(totp_factors).where(_of(totp_factors, person)))
            connection.execute(
                insert(totp_factors).values(
                    teammate_id=person.id,
                    sealed_secret=factor.sealed_secret,
                    last_step=step,
                    enrolled_at=factor.enrolled_at,
                )
            )

    def advance_totp(self, person: Teammate, step: int) -> bool:
        """Mark a time step used, if it is later than the last used one."""
        statement = update(totp_factors).where(_of(totp_factors, person), totp_factors.c.last_step < step)
        return self._change(statement.values(last_step=step)) == 1

    def remove_totp(self, person: Teammate) -> bool:
        """Forget it."""
        return self._change(delete(totp_factors).where(_of(totp_factors, person))) == 1

    def add_passkey(self, person: Teammate, passkey: Passkey) -> bool:
        """Store a passkey."""
        statement = insert(passkeys).values(
            id=passkey.id,
            teammate_id=person.id,
            name=passkey.name,
            public_key=passkey.public_key,
            sign_count=passkey.sign_count,
            created_at=passkey.created_at,
        )
        try:
            return self._change(statement) == 1
        except IntegrityError:
            return False

    def advance_passkey(self, person: Teammate, passkey: Passkey, sign_count: int, at: datetime) -> bool:
        """Note a use, if the counter is still as it was read."""
        statement = update(passkeys).where(
            _of(passkeys, person), passkeys.c.id == passkey.id, passkeys.c.sign_count == passkey.sign_count
        )
        return self._change(statement.values(sign_count=sign_count, last_used_at=at)) == 1

    def remove_passkey(self, person: Teammate, passkey_id: str) -> bool:
        """Forget it."""
        return self._change(delete(passkeys).where(_of(passkeys, person), passkeys.c.id == passkey_id)) == 1

    def put_codes(self, person: Teammate, hashes: Sequence[bytes]) -> None:
        """Store recovery codes in the place of all earlier ones."""
        with self._database.writing() as connection:
            connection.execute(delete(recovery_codes).where(_of(recovery_codes, person)))
            connection.execute(
                insert(recovery_codes), [{"teammate_id": person.id, "code_hash": each} for each in hashes]
            )

    def burn_code(self, person: Teammate, code_hash: bytes, at: datetime) -> bool:
        """Use up a recovery code."""
        statement = update(recovery_codes).where(
            _of(recovery_codes, person), recovery_codes.c.code_hash == code_hash, recovery_codes.c.used_at.is_(None)
        )
        return self._change(statement.values(used_at=at)) == 1

    def remove_all(self, person: Teammate) -> None:
        """Forget every factor and code."""
        with self._database.writing() as connection:
            for table in (totp_factors, passkeys, recovery_codes):
                connection.execute(delete(table).where(_of(table, person)))

    def _change(self, statement: Any) -> int:
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount


def _is(person: Teammate) -> Any:
    return (teammates.c.account_id == person.account_id) & (teammates.c.id == person.id)


def _of(table: Any, person: Teammate) -> Any:
    return table.c.teammate_id.in_(select(teammates.c.id).where(_is(person)))


def _require_free(connection: Connection, teammate: Teammate) -> None:
    """Raise ``NameTaken``; within a writing transaction it stays true, and the unique indexes say so too."""
    statement = select(teammates.c.email).where(
        teammates.c.id != teammate.id,
        or_(teammates.c.email == teammate.email, teammates.c.username == teammate.username),
    )
    taken = connection.execute(statement).scalars().all()
    if taken:
        raise NameTaken("email" if teammate.email in taken else "username")


def _columns(teammate: Teammate) -> dict[str, Any]:
    return {
        "email": teammate.email,
        "username": teammate.username,
        "first_name": teammate.first_name,
        "last_name": teammate.last_name,
        "role": teammate.role.value,
        "scopes": sorted(teammate.scopes),
        "profile": dict(teammate.profile),
    }


def _person(row: Row[Any]) -> Teammate:
    return Teammate(
        id=row.id,
        account_id=row.account_id,
        email=row.email,
        username=row.username,
        first_name=row.first_name,
        last_name=row.last_name,
        role=Role(row.role),
        scopes=frozenset(row.scopes),
        profile=MappingProxyType(row.profile),
        created_at=row.created_at,
    )


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        id=row.id,
        name=row.name,
        public_key=row.public_key,
        sign_count=row.sign_count,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )
