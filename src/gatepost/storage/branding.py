"""Names for links and of sending addresses at rest."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Table, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import accounts, branded_links, link_assignments, reverse_dns
from gatepost.tenancy.senders.branding import BrandedLink, ReverseName


class SqlBrandingStore:
    """Implements BrandingStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def add_link(self, link: BrandedLink) -> BrandedLink | None:
        """Store a link; None if the account has it already."""
        number = self._add(branded_links, _link_columns(link))
        if number is None:
            return None
        self._make_only_default(link, number)
        return self.find_link(link.account_id, number)

    def find_link(self, account_id: AccountId, number: int) -> BrandedLink | None:
        """Return the account's link of that number."""
        return next((each for each in self.list_links(account_id) if each.id == number), None)

    def list_links(self, account_id: AccountId) -> Sequence[BrandedLink]:
        """Return the account's links, oldest first."""
        return [_link(row) for row in self._rows(branded_links, account_id)]

    def put_link(self, link: BrandedLink) -> None:
        """Replace a link by its number."""
        self._put(branded_links, link.account_id, link.id, _link_columns(link))
        self._make_only_default(link, link.id)

    def remove_link(self, account_id: AccountId, number: int) -> bool:
        """Forget a link; return whether there was one."""
        return self._remove(branded_links, account_id, number)

    def lend_link(self, account_id: AccountId, number: int, subuser_id: AccountId) -> bool:
        """Let a subuser use the account's link, in place of the one it had; return whether there are both."""
        mine = branded_links.c.account_id == account_id, branded_links.c.id == number
        subuser = accounts.c.id == subuser_id, accounts.c.parent_id == account_id
        with self._database.writing() as connection:
            if connection.execute(select(branded_links.c.id).where(*mine)).first() is None:
                return False
            if connection.execute(select(accounts.c.id).where(*subuser)).first() is None:
                return False
            connection.execute(delete(link_assignments).where(_lent(account_id, subuser_id)))
            values = {"account_id": account_id, "subuser_id": subuser_id, "link_id": number}
            connection.execute(insert(link_assignments).values(values))
            return True

    def take_link_back(self, account_id: AccountId, subuser_id: AccountId) -> BrandedLink | None:
        """Take the account's link from the subuser; return which it was."""
        with self._database.writing() as connection:
            lent = self.find_lent_link(account_id, subuser_id)
            connection.execute(delete(link_assignments).where(_lent(account_id, subuser_id)))
            return lent

    def find_lent_link(self, account_id: AccountId, subuser_id: AccountId) -> BrandedLink | None:
        """Return the link of the account that the subuser may use."""
        joined = branded_links.join(link_assignments, link_assignments.c.link_id == branded_links.c.id)
        statement = select(branded_links).select_from(joined).where(_lent(account_id, subuser_id))
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _link(row)

    def add_name(self, name: ReverseName) -> ReverseName | None:
        """Store the name of an address; None if the account has one for it already."""
        number = self._add(reverse_dns, _name_columns(name))
        return next((each for each in self.list_names(name.account_id) if each.id == number), None)

    def list_names(self, account_id: AccountId) -> Sequence[ReverseName]:
        """Return the account's names of addresses, oldest first."""
        return [_name(row) for row in self._rows(reverse_dns, account_id)]

    def put_name(self, name: ReverseName) -> None:
        """Replace a name by its number."""
        self._put(reverse_dns, name.account_id, name.id, _name_columns(name))

    def remove_name(self, account_id: AccountId, number: int) -> bool:
        """Forget the name of an address; return whether there was one."""
        return self._remove(reverse_dns, account_id, number)

    def _add(self, table: Table, columns: dict[str, Any]) -> int | None:
        try:
            with self._database.writing() as connection:
                return int(connection.execute(insert(table).values(columns).returning(table.c.id)).scalar_one())
        except IntegrityError:
            return None

    def _rows(self, table: Table, account_id: AccountId) -> Sequence[Row[Any]]:
        with self._database.reading() as connection:
            mine = select(table).where(table.c.account_id == account_id).order_by(table.c.id)
            return connection.execute(mine).all()

    def _put(self, table: Table, account_id: AccountId, number: int, columns: dict[str, Any]) -> None:
        with self._database.writing() as connection:
            mine = table.c.account_id == account_id, table.c.id == number
            connection.execute(update(table).where(*mine).values(columns))

    def _remove(self, table: Table, account_id: AccountId, number: int) -> bool:
        with self._database.writing() as connection:
            mine = table.c.account_id == account_id, table.c.id == number
            return connection.execute(delete(table).where(*mine)).rowcount == 1

    def _make_only_default(self, link: BrandedLink, number: int) -> None:
        if not link.is_default:
            return
        with self._database.writing() as connection:
            others = branded_links.c.account_id == link.account_id, branded_links.c.id != number
            connection.execute(update(branded_links).where(*others).values(is_default=False))


def _lent(account_id: AccountId, subuser_id: AccountId) -> ColumnElement[bool]:
    return and_(link_assignments.c.account_id == account_id, link_assignments.c.subuser_id == subuser_id)


def _link_columns(link: BrandedLink) -> dict[str, Any]:
    return {
        "account_id": link.account_id,
        "domain": link.domain,
        "subdomain": link.subdomain,
        "is_default": link.is_default,
        "is_valid": link.is_valid,
        "records_found": None if link.records_found is None else sorted(link.records_found),
        "checked_at": link.checked_at,
    }


def _link(row: Row[Any]) -> BrandedLink:
    return BrandedLink(
        id=row.id,
        account_id=row.account_id,
        domain=row.domain,
        subdomain=row.subdomain,
        is_default=row.is_default,
        is_valid=row.is_valid,
        records_found=None if row.records_found is None else frozenset(row.records_found),
        checked_at=row.checked_at,
    )


def _name_columns(name: ReverseName) -> dict[str, Any]:
    return {
        "account_id": name.account_id,
        "ip": name.ip,
        "domain": name.domain,
        "subdomain": name.subdomain,
        "is_valid": name.is_valid,
        "checked_at": name.checked_at,
    }


def _name(row: Row[Any]) -> ReverseName:
    return ReverseName(
        id=row.id,
        account_id=row.account_id,
        ip=row.ip,
        domain=row.domain,
        subdomain=row.subdomain,
        is_valid=row.is_valid,
        checked_at=row.checked_at,
    )
