"""Authenticated domains and their DKIM keys at rest."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.storage.database import Database
from gatepost.storage.schema import accounts, dkim_keys, dns_zone, domain_assignments, domain_owners, domains
from gatepost.tenancy.access.current import Current
from gatepost.tenancy.access.ports import AccessVersion
from gatepost.tenancy.senders.domain import (
    AuthenticatedDomain,
    DKIMKey,
    DomainId,
    DomainState,
    DomainTaken,
    KeyState,
    ZoneChange,
)

MAX_REMEMBERED: Final = 20_000
"""How many answers ``find_verified`` remembers; beyond, it starts afresh. Half of them may be names of no one."""

_ROWS_AT_A_TIME = 500
_VERIFIED = domains.c.state == DomainState.VERIFIED.value


class SqlDomainStore:
    """Implements DomainStore. ``find_verified`` answers from memory while nothing has changed."""

    def __init__(self, database: Database, version: AccessVersion) -> None:
        self._database: Final = database
        self._verified: Final[Current[dict[str, AuthenticatedDomain | None]]] = Current(version, dict)
        self._defaults: Final[Current[dict[AccountId, AuthenticatedDomain | None]]] = Current(version, dict)

    def add(self, domain: AuthenticatedDomain) -> DomainId:
        """Store a new claim; return its number."""
        with self._database.writing() as connection:
            taken = _find_rival(connection, domain)
            if taken is not None:
                raise DomainTaken(taken)
            values = {**_columns(domain), "zone_serial": _count_up(connection) if domain.is_automatic else 0}
            number = connection.execute(insert(domains).values(values).returning(domains.c.id)).scalar_one()
            _write_keys(connection, number, domain.dkim_keys)
            if domain.is_default:
                _make_only_default(connection, domain.account_id, number)
            return DomainId(number)

    def find(self, account_id: AccountId, name: str) -> AuthenticatedDomain | None:
        """Return the account's claim to that exact name: of several the default one, else the oldest."""
        return next(iter(self._select(_claim(account_id, name))), None)

    def find_numbered(self, account_id: AccountId, number: DomainId) -> AuthenticatedDomain | None:
        """Return the account's claim of that number."""
        return next(iter(self._select(_numbered(account_id, number))), None)

    def list_all(self, account_id: AccountId) -> Sequence[AuthenticatedDomain]:
        """Return the account's claims, by name."""
        return self._select(domains.c.account_id == account_id)

    def list_kept(self, after: DomainId, limit: int) -> Sequence[AuthenticatedDomain]:
        """Return claims of all accounts that are verified, or were until their records had gone, by number."""
        was_verified = and_(domains.c.verified_at.is_not(None), domains.c.failing_since.is_not(None))
        with self._database.reading() as connection:
            kept = and_(or_(_VERIFIED, was_verified), domains.c.id > after)
            statement = select(domains).where(kept).order_by(domains.c.id).limit(limit)
            return _domains(connection, connection.execute(statement).all())

    def read_zone(self, since: int) -> ZoneChange | None:
        """Return what has changed in our own zone since a serial."""
        with self._database.reading() as connection:
            # The serial first: what is committed while this reads is told again the next time.
            serial = connection.execute(select(dns_zone.c.serial)).scalar_one()
            if serial == since:
                return None
            ours = domains.c.label.is_not(None)
            rows = connection.execute(select(domains).where(ours, domains.c.zone_serial > since)).all()
            labels = connection.execute(select(domains.c.label).where(ours)).scalars()
            return ZoneChange(
                serial=serial, changed=tuple(_domains(connection, rows)), labels=frozenset(filter(None, labels))
            )

    def note_zone_settings(self, settings_hash: str) -> None:
        """Count the serial up if the zone was last made with other settings."""
        other = dns_zone.c.settings_hash != settings_hash
        with self._database.reading() as connection:
            if connection.execute(select(dns_zone.c.serial).where(other)).first() is None:
                return
        values = {"serial": dns_zone.c.serial + 1, "settings_hash": settings_hash}
        with self._database.writing() as connection:
            connection.execute(update(dns_zone).where(other).values(values))

    def change(
        self,
        account_id: AccountId,
        number: DomainId,
        decide: Callable[[AuthenticatedDomain], AuthenticatedDomain],
    ) -> AuthenticatedDomain | None:
        """Replace a claim by what ``decide`` makes of the present one, keys and all, in one transaction."""
        with self._database.writing() as connection:
            statement = select(domains).where(_numbered(account_id, number)).with_for_update()
            present = next(iter(_domains(connection, connection.execute(statement).all())), None)
            if present is None:
                return None
            decided = decide(present)
            columns = _columns(decided)
            for fixed in ("account_id", "name", "state", "verified_at", "created_at"):
                del columns[fixed]
            if present.is_automatic and _shown(decided) != _shown(present):
                columns["zone_serial"] = _count_up(connection)
            connection.execute(update(domains).where(domains.c.id == number).values(columns))
            if decided.dkim_keys != present.dkim_keys:
                connection.execute(delete(dkim_keys).where(dkim_keys.c.domain_id == number))
                _write_keys(connection, number, decided.dkim_keys)
            if decided.is_default and not present.is_default:
                _make_only_default(connection, account_id, number)
            return decided

    def mark_verified(self, account_id: AccountId, number: DomainId, at: datetime) -> None:
        """Make the claim VERIFIED; a time set before stands unless it was withdrawn meanwhile.

        Raises:
            LookupError: The account has no such claim (any more).
        """
        pending = update(domains).where(domains.c.id == number, domains.c.state == DomainState.PENDING.value)
        try:
            with self._database.writing() as connection:
                claim = connection.execute(select(domains.c.name).where(_numbered(account_id, number))).one_or_none()
                if claim is None:
                    raise LookupError(number)
                owner = connection.execute(_owner(claim.name)).scalar_one_or_none()
                if owner is None:
                    connection.execute(insert(domain_owners).values(name=claim.name, account_id=account_id))
                elif owner != account_id:
                    raise DomainTaken(claim.name)
                connection.execute(pending.values(state=DomainState.VERIFIED.value, verified_at=at))
        except IntegrityError as error:
            raise DomainTaken(str(number)) from error

    def withdraw(self, account_id: AccountId, number: DomainId) -> None:
        """Make a VERIFIED claim PENDING again."""
        with self._database.writing() as connection:
            row = connection.execute(select(domains.c.name).where(_numbered(account_id, number))).one_or_none()
            if row is not None:
                pending = update(domains).where(domains.c.id == number).values(state=DomainState.PENDING.value)
                connection.execute(pending)
                _let_go(connection, account_id, row.name)

    def remove(self, account_id: AccountId, number: DomainId) -> bool:
        """Forget the claim and, with it, its keys; return whether there was one."""
        with self._database.writing() as connection:
            row = connection.execute(select(domains.c.name).where(_numbered(account_id, number))).one_or_none()
            if row is None:
                return False
            connection.execute(delete(domains).where(domains.c.id == number))
            _count_up(connection)
            _let_go(connection, account_id, row.name)
            if self.find(account_id, row.name) is None:
                # With its last claim to a name the account has nothing to assign any more.
                of_name = domain_assignments.c.account_id == account_id, domain_assignments.c.domain_name == row.name
                connection.execute(delete(domain_assignments).where(*of_name))
            return True

    def find_verified(self, name: str) -> AuthenticatedDomain | None:
        """Return the VERIFIED claim to that exact name: of several the default one, else the oldest."""
        held = self._verified.get()
        try:
            return held[name]
        except KeyError:
            held[name] = found = next(iter(self._select(and_(domains.c.name == name, _VERIFIED))), None)
            if len(held) > MAX_REMEMBERED:
                self._verified.drop()
            return found

    def find_default(self, account_id: AccountId) -> AuthenticatedDomain | None:
        """Return the account's own default claim if it is VERIFIED, else its parent's if that is assigned to it."""
        held = self._defaults.get()
        try:
            return held[account_id]
        except KeyError:
            mine = or_(domains.c.account_id == account_id, _is_assigned_to(account_id))
            found = self._select(and_(mine, domains.c.is_default, _VERIFIED))
            own = [claim for claim in found if claim.account_id == account_id]
            held[account_id] = default = next(iter([*own, *found]), None)
            if len(held) > MAX_REMEMBERED:
                self._defaults.drop()
            return default

    def list_verified_below(self, name: str) -> Sequence[AuthenticatedDomain]:
        """Return the VERIFIED claims to names below a name, whoever holds them."""
        return self._select(and_(domains.c.name.endswith(f".{name}", autoescape=True), _VERIFIED))

    def list_verified_names(self, except_of: AccountId) -> Sequence[str]:
        """Return every name that another account than this one has verified."""
        others = and_(domains.c.state == DomainState.VERIFIED.value, domains.c.account_id != except_of)
        with self._database.reading() as connection:
            return connection.execute(select(domains.c.name).where(others).order_by(domains.c.name)).scalars().all()

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
        return self._select(_is_assigned_to(subuser_id))

    def _select(self, condition: ColumnElement[bool]) -> list[AuthenticatedDomain]:
        order = (domains.c.name, domains.c.is_default.desc(), domains.c.id)
        with self._database.reading() as connection:
            return _domains(connection, connection.execute(select(domains).where(condition).order_by(*order)).all())


def _claim(account_id: AccountId, name: str) -> ColumnElement[bool]:
    return and_(domains.c.account_id == account_id, domains.c.name == name)


def _assignment(*, account_id: AccountId, domain_name: str, subuser_id: AccountId) -> ColumnElement[bool]:
    return and_(
        domain_assignments.c.account_id == account_id,
        domain_assignments.c.domain_name == domain_name,
        domain_assignments.c.subuser_id == subuser_id,
    )


def _is_assigned_to(subuser_id: AccountId) -> ColumnElement[bool]:
    return (
        select(domain_assignments.c.subuser_id)
        .where(
            domain_assignments.c.account_id == domains.c.account_id,
            domain_assignments.c.domain_name == domains.c.name,
            domain_assignments.c.subuser_id == subuser_id,
        )
        .exists()
    )


def _numbered(account_id: AccountId, number: DomainId) -> ColumnElement[bool]:
    return and_(domains.c.account_id == account_id, domains.c.id == number)


def _owner(name: str) -> Any:
    # The owner's row is locked against a second process that verifies the same name meanwhile.
    return select(domain_owners.c.account_id).where(domain_owners.c.name == name).with_for_update()


def _find_rival(connection: Connection, domain: AuthenticatedDomain) -> str | None:
    """Return what a claim of the same account to the same name already uses: a selector, a return path."""
    present = _domains(
        connection, connection.execute(select(domains).where(_claim(domain.account_id, domain.name))).all()
    )
    selectors = {key.selector for each in present for key in each.dkim_keys}
    for key in domain.dkim_keys:
        if key.selector in selectors:
            return f"{key.selector}._domainkey.{domain.name}"
    if domain.return_path and any(each.return_path == domain.return_path for each in present):
        return f"{domain.return_path}.{domain.name}"
    return None


def _make_only_default(connection: Connection, account_id: AccountId, number: int) -> None:
    others = and_(domains.c.account_id == account_id, domains.c.id != number)
    connection.execute(update(domains).where(others).values(is_default=False))


def _let_go(connection: Connection, account_id: AccountId, name: str) -> None:
    """Make a name free for others, unless another claim of the account to it is still verified."""
    left = select(domains.c.id).where(_claim(account_id, name), _VERIFIED)
    if connection.execute(left).first() is None:
        mine = and_(domain_owners.c.name == name, domain_owners.c.account_id == account_id)
        connection.execute(delete(domain_owners).where(mine))


def _write_keys(connection: Connection, number: int, keys: Sequence[DKIMKey]) -> None:
    rows = [
        {
            "domain_id": number,
            "selector": key.selector,
            "position": position,
            "algorithm": key.algorithm.value,
            "state": key.state.value,
            "changed_at": key.changed_at,
            "sealed_private_key": key.sealed_private_key,
            "public_key": key.public_key,
            "created_at": key.created_at,
        }
        for position, key in enumerate(keys)
    ]
    if rows:
        connection.execute(insert(dkim_keys), rows)


def _columns(domain: AuthenticatedDomain) -> dict[str, Any]:
    return {
        "account_id": domain.account_id,
        "name": domain.name,
        "state": domain.state.value,
        "created_at": domain.created_at,
        "verified_at": domain.verified_at,
        "return_path": domain.return_path,
        "label": domain.label,
        "is_default": domain.is_default,
        "custom_spf": domain.custom_spf,
        "addresses": sorted(domain.addresses),
        "checked_at": domain.checked_at,
        "failing_since": domain.failing_since,
        "records_found": None if domain.records_found is None else sorted(domain.records_found),
        "rotation_requested_at": domain.rotation_requested_at,
        "rotation_is_urgent": domain.rotation_is_urgent,
    }


def _domains(connection: Connection, rows: Sequence[Row[Any]]) -> list[AuthenticatedDomain]:
    keys: dict[int, list[DKIMKey]] = {row.id: [] for row in rows}
    assigned: dict[tuple[AccountId, str], set[AccountId]] = {}
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        some = rows[start : start + _ROWS_AT_A_TIME]
        of_these = dkim_keys.c.domain_id.in_([row.id for row in some])
        for row in connection.execute(select(dkim_keys).where(of_these).order_by(dkim_keys.c.position)):
            keys[row.domain_id].append(_key(row))
        named = domain_assignments.c.domain_name.in_({row.name for row in some})
        for row in connection.execute(select(domain_assignments).where(named)):
            assigned.setdefault((row.account_id, row.domain_name), set()).add(row.subuser_id)
    return [_domain(row, tuple(keys[row.id]), frozenset(assigned.get((row.account_id, row.name), ()))) for row in rows]


def _key(row: Row[Any]) -> DKIMKey:
    return DKIMKey(
        selector=row.selector,
        algorithm=SigningAlgorithm(row.algorithm),
        sealed_private_key=row.sealed_private_key,
        public_key=row.public_key,
        created_at=row.created_at,
        state=KeyState(row.state),
        changed_at=row.changed_at,
    )


def _count_up(connection: Connection) -> int:
    """Count the serial of our own zone up, and return it."""
    statement = update(dns_zone).values(serial=dns_zone.c.serial + 1).returning(dns_zone.c.serial)
    return int(connection.execute(statement).scalar_one())


def _shown(domain: AuthenticatedDomain) -> object:
    """What our own zone shows of a claim."""
    keys = [(key.selector, key.algorithm, key.public_key) for key in domain.dkim_keys]
    return domain.label, domain.custom_spf, domain.addresses, keys


def _domain(row: Row[Any], keys: tuple[DKIMKey, ...], assigned_to: frozenset[AccountId]) -> AuthenticatedDomain:
    return AuthenticatedDomain(
        id=DomainId(row.id),
        name=row.name,
        account_id=row.account_id,
        state=DomainState(row.state),
        dkim_keys=keys,
        created_at=row.created_at,
        verified_at=row.verified_at,
        return_path=row.return_path,
        label=row.label,
        is_default=row.is_default,
        custom_spf=row.custom_spf,
        addresses=tuple(row.addresses),
        checked_at=row.checked_at,
        failing_since=row.failing_since,
        records_found=None if row.records_found is None else frozenset(row.records_found),
        rotation_requested_at=row.rotation_requested_at,
        rotation_is_urgent=row.rotation_is_urgent,
        assigned_to=assigned_to,
    )
