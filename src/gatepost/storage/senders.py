"""Authenticated domains and their DKIM keys at rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.storage.database import Database
from gatepost.storage.schema import accounts, dkim_keys, domain_assignments, domains
from gatepost.tenancy.access.current import Current
from gatepost.tenancy.access.ports import AccessVersion
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, DomainState, DomainTaken

MAX_REMEMBERED: Final = 20_000
"""How many answers ``find_verified`` remembers; beyond, it starts afresh. Half of them may be names of no one."""


class SqlDomainStore:
    """Implements DomainStore. ``find_verified`` answers from memory while nothing has changed."""

    def __init__(self, database: Database, version: AccessVersion) -> None:
        self._database: Final = database
        self._verified: Final[Current[dict[str, AuthenticatedDomain | None]]] = Current(version, dict)

    def add(self, domain: AuthenticatedDomain) -> None:
        """Store a new claim."""
        claim = insert(domains).values(
            account_id=domain.account_id,
            name=domain.name,
            state=domain.state.value,
            created_at=domain.created_at,
            verified_at=domain.verified_at,
        )
        keys = [
            {
                "account_id": domain.account_id,
                "domain_name": domain.name,
                "selector": key.selector,
                "position": position,
                "algorithm": key.algorithm.value,
                "sealed_private_key": key.sealed_private_key,
                "public_key": key.public_key,
                "created_at": key.created_at,
            }
            for position, key in enumerate(domain.dkim_keys)
        ]
        try:
            with self._database.writing() as connection:
                connection.execute(claim)
                if keys:
                    connection.execute(insert(dkim_keys), keys)
        except IntegrityError as error:
            if self.find(domain.account_id, domain.name) is None:
                raise
            raise DomainTaken(domain.name) from error

    def find(self, account_id: AccountId, name: str) -> AuthenticatedDomain | None:
        """Return the account's claim to that exact name."""
        return next(iter(self._select(_claim(account_id, name))), None)

    def list_all(self, account_id: AccountId) -> Sequence[AuthenticatedDomain]:
        """Return the account's claims, by name."""
        return self._select(domains.c.account_id == account_id)

    def mark_verified(self, account_id: AccountId, name: str, at: datetime) -> None:
        """Make the claim VERIFIED; a time set before stands unless it was withdrawn meanwhile.

        Raises:
            LookupError: The account has no such claim (any more).
        """
        pending = update(domains).where(_claim(account_id, name), domains.c.state == DomainState.PENDING.value)
        try:
            with self._database.writing() as connection:
                if connection.execute(select(domains.c.name).where(_claim(account_id, name))).one_or_none() is None:
                    raise LookupError(name)
                connection.execute(pending.values(state=DomainState.VERIFIED.value, verified_at=at))
        except IntegrityError as error:
            raise DomainTaken(name) from error

    def withdraw(self, account_id: AccountId, name: str) -> None:
        """Make a VERIFIED claim PENDING again."""
        with self._database.writing() as connection:
            connection.execute(update(domains).where(_claim(account_id, name)).values(state=DomainState.PENDING.value))

    def remove(self, account_id: AccountId, name: str) -> bool:
        """Forget the claim and, with it, its keys; return whether there was one."""
        with self._database.writing() as connection:
            return connection.execute(delete(domains).where(_claim(account_id, name))).rowcount == 1

    def find_verified(self, name: str) -> AuthenticatedDomain | None:
        """Return the one VERIFIED claim to that exact name, whoever holds it."""
        held = self._verified.get()
        try:
            return held[name]
        except KeyError:
            verified = and_(domains.c.name == name, domains.c.state == DomainState.VERIFIED.value)
            held[name] = found = next(iter(self._select(verified)), None)
            if len(held) > MAX_REMEMBERED:
                self._verified.drop()
            return found

    def assign(self, account_id: AccountId, name: str, subuser_id: AccountId) -> bool:
        """Let a subuser send as the account's domain; return whether the account has such a claim and subuser."""
        subuser = select(accounts.c.id).where(accounts.c.id == subuser_id, accounts.c.parent_id == account_id)
        values = {"account_id": account_id, "domain_name": name, "subuser_id": subuser_id}
        assignment = _assignment(account_id=account_id, domain_name=name, subuser_id=subuser_id)
        with self._database.writing() as connection:
            if connection.execute(subuser).one_or_none() is None or self.find(account_id, name) is None:
                return False
            if connection.execute(select(domain_assignments).where(assignment)).one_or_none() is None:
                connection.execute(insert(domain_assignments).values(values))
            return True

    def unassign(self, account_id: AccountId, name: str, subuser_id: AccountId) -> bool:
        """Take the domain from the subuser; return whether it had it."""
        assignment = _assignment(account_id=account_id, domain_name=name, subuser_id=subuser_id)
        with self._database.writing() as connection:
            return connection.execute(delete(domain_assignments).where(assignment)).rowcount == 1

    def list_assigned(self, subuser_id: AccountId) -> Sequence[AuthenticatedDomain]:
        """Return the claims that the account's parent has assigned to it, by name."""
        assigned = (
            select(domain_assignments.c.subuser_id)
            .where(
                domain_assignments.c.account_id == domains.c.account_id,
                domain_assignments.c.domain_name == domains.c.name,
                domain_assignments.c.subuser_id == subuser_id,
            )
            .exists()
        )
        return self._select(assigned)

    def _select(self, condition: ColumnElement[bool]) -> list[AuthenticatedDomain]:
        with self._database.reading() as connection:
            rows = connection.execute(select(domains).where(condition).order_by(domains.c.name)).all()
            return [_domain(row, _keys(connection, row), _assignees(connection, row)) for row in rows]


def _claim(account_id: AccountId, name: str) -> ColumnElement[bool]:
    return and_(domains.c.account_id == account_id, domains.c.name == name)


def _assignment(*, account_id: AccountId, domain_name: str, subuser_id: AccountId) -> ColumnElement[bool]:
    return and_(
        domain_assignments.c.account_id == account_id,
        domain_assignments.c.domain_name == domain_name,
        domain_assignments.c.subuser_id == subuser_id,
    )


def _assignees(connection: Connection, domain: Row[Any]) -> frozenset[AccountId]:
    statement = select(domain_assignments.c.subuser_id).where(
        domain_assignments.c.account_id == domain.account_id, domain_assignments.c.domain_name == domain.name
    )
    return frozenset(connection.execute(statement).scalars())


def _keys(connection: Connection, domain: Row[Any]) -> tuple[DKIMKey, ...]:
    statement = (
        select(dkim_keys)
        .where(dkim_keys.c.account_id == domain.account_id, dkim_keys.c.domain_name == domain.name)
        .order_by(dkim_keys.c.position)
    )
    return tuple(
        DKIMKey(
            selector=row.selector,
            algorithm=SigningAlgorithm(row.algorithm),
            sealed_private_key=row.sealed_private_key,
            public_key=row.public_key,
            created_at=row.created_at,
        )
        for row in connection.execute(statement)
    )


def _domain(row: Row[Any], keys: tuple[DKIMKey, ...], assigned_to: frozenset[AccountId]) -> AuthenticatedDomain:
    return AuthenticatedDomain(
        name=row.name,
        account_id=row.account_id,
        state=DomainState(row.state),
        dkim_keys=keys,
        created_at=row.created_at,
        verified_at=row.verified_at,
        assigned_to=assigned_to,
    )
