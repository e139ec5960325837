"""API keys at rest."""

from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.storage.database import Database
from gatepost.storage.schema import api_keys
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.budget import Budget, Measure, Purse, PurseId
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.ports import KeyUse

_COLUMNS: Final = tuple(column for column in api_keys.c if column is not api_keys.c.secret_hash)

# One row with one value, whether or not there is such a key: to the caller both are the same work.
_SECRET_HASH: Final = select(
    func.coalesce(
        select(api_keys.c.secret_hash).where(api_keys.c.id == bindparam("key_id")).scalar_subquery(),
        bindparam("otherwise", type_=api_keys.c.secret_hash.type),
    )
)
_RECORD_USE: Final = (
    update(api_keys)
    .where(
        api_keys.c.account_id == bindparam("account"),
        api_keys.c.id == bindparam("key"),
        or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"), last_used_from=bindparam("peer"), last_used_by=bindparam("client"))
)


class SqlApiKeyStore:
    """Implements ApiKeyStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def add(self, key: ApiKey, secret_hash: bytes, *, at_most: int | None = None) -> bool:
        """Store a new key, unless the account has as many as it may."""
        statement = insert(api_keys).values(
            id=key.id,
            account_id=key.account_id,
            name=key.name,
            secret_hash=secret_hash,
            created_at=key.created_at,
            is_honey=key.is_honey,
            **_grant_columns(key.grant),
        )
        valid = (
            select(func.count())
            .select_from(api_keys)
            .where(
                api_keys.c.account_id == key.account_id,
                api_keys.c.revoked_at.is_(None),
                or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > key.created_at),
            )
        )
        with self._database.writing() as connection:
            if at_most is not None and connection.execute(valid).scalar_one() >= at_most:
                return False
            connection.execute(statement)
        return True

    def secret_hash(self, key_id: KeyId, *, otherwise: bytes) -> bytes:
        """Return the key's hash, or ``otherwise``, at the same cost."""
        with self._database.reading() as connection:
            found = connection.execute(_SECRET_HASH, {"key_id": key_id, "otherwise": otherwise}).scalar_one()
        return bytes(found)

    def resolve(self, key_id: KeyId) -> ApiKey | None:
        """Return the key, whichever account has it."""
        with self._database.reading() as connection:
            row = connection.execute(select(*_COLUMNS).where(api_keys.c.id == key_id)).one_or_none()
        return None if row is None else _key(row)

    def find(self, account_id: AccountId, key_id: KeyId) -> ApiKey | None:
        """Return the account's key."""
        with self._database.reading() as connection:
            return _find(connection, account_id, key_id)

    def list_all(self, account_id: AccountId) -> Sequence[ApiKey]:
        """Return the account's keys, oldest first."""
        statement = (
            select(*_COLUMNS).where(api_keys.c.account_id == account_id).order_by(api_keys.c.created_at, api_keys.c.id)
        )
        with self._database.reading() as connection:
            return [_key(row) for row in connection.execute(statement)]

    def change_grant(
        self,
        account_id: AccountId,
        key_id: KeyId,
        decide: Callable[[Grant], Grant | Deny],
        *,
        name: str | None = None,
    ) -> ApiKey | Deny | None:
        """Replace the grant by what ``decide`` makes of it, and the name if one is given, in one transaction."""
        with self._database.writing() as connection:
            key = _find(connection, account_id, key_id, for_update=True)
            if key is None:
                return None
            decided = decide(key.grant)
            if isinstance(decided, Deny):
                return decided
            renamed = {} if name is None else {"name": name}
            connection.execute(_update(account_id, key_id).values(_grant_columns(decided) | renamed))
            return _find(connection, account_id, key_id)

    def revoke(self, account_id: AccountId, key_id: KeyId, at: datetime) -> ApiKey | None:
        """Revoke the key for good; the first time stands."""
        statement = _update(account_id, key_id).where(api_keys.c.revoked_at.is_(None)).values(revoked_at=at)
        with self._database.writing() as connection:
            connection.execute(statement)
            return _find(connection, account_id, key_id)

    def record_uses(self, uses: Sequence[KeyUse]) -> None:
        """Note the last use of each key in one transaction."""
        rows = [
            {
                "account": use.account_id,
                "key": use.key_id,
                "at": use.at,
                "peer": use.peer,
                "client": use.client or None,
            }
            for use in uses
        ]
        if rows:
            with self._database.writing() as connection:
                connection.execute(_RECORD_USE, rows)


def _find(connection: Connection, account_id: AccountId, key_id: KeyId, *, for_update: bool = False) -> ApiKey | None:
    statement = select(*_COLUMNS).where(api_keys.c.account_id == account_id, api_keys.c.id == key_id)
    # SQLite locks the whole database for a writer and leaves the clause out; PostgreSQL needs it.
    row = connection.execute(statement.with_for_update() if for_update else statement).one_or_none()
    return None if row is None else _key(row)


def _update(account_id: AccountId, key_id: KeyId) -> Any:
    return update(api_keys).where(api_keys.c.account_id == account_id, api_keys.c.id == key_id)


def _grant_columns(grant: Grant) -> dict[str, Any]:
    return {
        "scopes": sorted(grant.scopes),
        "allowed_networks": sorted(map(str, grant.allowed_networks)),
        "allowed_authors": sorted(grant.allowed_authors),
        "allowed_recipient_domains": sorted(grant.allowed_recipient_domains),
        "expires_at": grant.expires_at,
        "budget": None if grant.budget is None else _purse_column(grant.budget),
        "charges": [_purse_column(purse) for purse in grant.charges],
    }


def _purse_column(purse: Purse) -> dict[str, Any]:
    return {"purse": purse.id, "account": purse.account_id} | {
        measure.value: limit for measure, limit in purse.budget.limits()
    }


def _purse(column: dict[str, Any]) -> Purse:
    limits = {measure.value: column.get(measure.value) for measure in Measure}
    return Purse(id=PurseId(column["purse"]), account_id=AccountId(column["account"]), budget=Budget(**limits))


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        grant=Grant(
            scopes=frozenset(row.scopes),
            allowed_networks=tuple(ip_network(text) for text in row.allowed_networks),
            allowed_authors=tuple(row.allowed_authors),
            allowed_recipient_domains=tuple(row.allowed_recipient_domains),
            expires_at=row.expires_at,
            budget=None if row.budget is None else _purse(row.budget),
            charges=tuple([_purse(column) for column in row.charges]),
        ),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        last_used_from=row.last_used_from,
        last_used_by=row.last_used_by,
        is_honey=row.is_honey,
    )
