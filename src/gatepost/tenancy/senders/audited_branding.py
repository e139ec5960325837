"""The store of links and names of addresses that writes down what is done to them."""

from collections.abc import Sequence
from typing import Final

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.entry import Act, Snapshot
from gatepost.tenancy.audit.recorder import Recorder
from gatepost.tenancy.senders.branding import BrandedLink, BrandingStore, ReverseName, plan_reverse_name


class AuditedBrandingStore:
    """Implements BrandingStore over another one; each change and its entry are one transaction.

    A look at the DNS that finds what was found before leaves no entry.
    """

    def __init__(self, store: BrandingStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def add_link(self, link: BrandedLink) -> BrandedLink | None:
        """Store a link; None if the account has it already."""
        with self._recorder.acting():
            made = self._store.add_link(link)
            if made is not None:
                self._record_link(Act.LINK_ADDED, None, made)
            return made

    def list_links(self, account_id: AccountId) -> Sequence[BrandedLink]:
        """Return the account's links, oldest first."""
        return self._store.list_links(account_id)

    def put_link(self, link: BrandedLink) -> None:
        """Replace a link by its number."""
        with self._recorder.acting():
            before = self._find_link(link.account_id, link.id)
            self._store.put_link(link)
            self._record_link(Act.LINK_CHANGED, before, self._find_link(link.account_id, link.id))

    def remove_link(self, account_id: AccountId, number: int) -> bool:
        """Forget a link; return whether there was one."""
        with self._recorder.acting():
            before = self._find_link(account_id, number)
            is_removed = self._store.remove_link(account_id, number)
            self._record_link(Act.LINK_REMOVED, before, None)
            return is_removed

    def lend_link(self, account_id: AccountId, number: int, subuser_id: AccountId) -> bool:
        """Let a subuser use the account's link."""
        with self._recorder.acting():
            before = self._store.find_lent_link(account_id, subuser_id)
            is_lent = self._store.lend_link(account_id, number, subuser_id)
            if is_lent:
                after = self._find_link(account_id, number)
                self._record_lent(Act.LINK_ASSIGNED, account_id, subuser_id, before, after)
            return is_lent

    def take_link_back(self, account_id: AccountId, subuser_id: AccountId) -> BrandedLink | None:
        """Take the account's link from the subuser."""
        with self._recorder.acting():
            taken = self._store.take_link_back(account_id, subuser_id)
            self._record_lent(Act.LINK_UNASSIGNED, account_id, subuser_id, taken, None)
            return taken

    def find_lent_link(self, account_id: AccountId, subuser_id: AccountId) -> BrandedLink | None:
        """Return the link of the account that the subuser may use."""
        return self._store.find_lent_link(account_id, subuser_id)

    def add_name(self, name: ReverseName) -> ReverseName | None:
        """Store the name of an address; None if the account has one for it already."""
        with self._recorder.acting():
            made = self._store.add_name(name)
            if made is not None:
                self._record_name(Act.REVERSE_NAME_ADDED, None, made)
            return made

    def list_names(self, account_id: AccountId) -> Sequence[ReverseName]:
        """Return the account's names of addresses, oldest first."""
        return self._store.list_names(account_id)

    def put_name(self, name: ReverseName) -> None:
        """Replace a name by its number."""
        with self._recorder.acting():
            before = self._find_name(name.account_id, name.id)
            self._store.put_name(name)
            self._record_name(Act.REVERSE_NAME_CHANGED, before, self._find_name(name.account_id, name.id))

    def remove_name(self, account_id: AccountId, number: int) -> bool:
        """Forget the name of an address; return whether there was one."""
        with self._recorder.acting():
            before = self._find_name(account_id, number)
            is_removed = self._store.remove_name(account_id, number)
            self._record_name(Act.REVERSE_NAME_REMOVED, before, None)
            return is_removed

    def _find_link(self, account_id: AccountId, number: int) -> BrandedLink | None:
        return next((each for each in self._store.list_links(account_id) if each.id == number), None)

    def _find_name(self, account_id: AccountId, number: int) -> ReverseName | None:
        return next((each for each in self._store.list_names(account_id) if each.id == number), None)

    def _record_link(self, act: Act, before: BrandedLink | None, after: BrandedLink | None) -> None:
        link = after or before
        if link is not None:
            earlier, later = (None if each is None else _link_snapshot(each) for each in (before, after))
            self._recorder.record(link.account_id, act, f"link/{_host(link)}", before=earlier, after=later)

    def _record_lent(
        self,
        act: Act,
        account_id: AccountId,
        subuser_id: AccountId,
        before: BrandedLink | None,
        after: BrandedLink | None,
    ) -> None:
        """Write down in both chains which link the subuser uses: it is the one's to give and the other's to use."""
        link = after or before
        if link is not None:
            earlier, later = (None if each is None else _lent_snapshot(each, subuser_id) for each in (before, after))
            for chain in (account_id, subuser_id):
                self._recorder.record(chain, act, f"link/{_host(link)}", before=earlier, after=later)

    def _record_name(self, act: Act, before: ReverseName | None, after: ReverseName | None) -> None:
        name = after or before
        if name is not None:
            earlier, later = (None if each is None else _name_snapshot(each) for each in (before, after))
            self._recorder.record(name.account_id, act, f"address/{name.ip}", before=earlier, after=later)


def _host(link: BrandedLink) -> str:
    return f"{link.subdomain}.{link.domain}"


def _link_snapshot(link: BrandedLink) -> Snapshot:
    return {
        "name": _host(link),
        "number": str(link.id),
        "is_default": "yes" if link.is_default else "no",
        "records": "there" if link.is_valid else "not found",
    }


def _lent_snapshot(link: BrandedLink, subuser_id: AccountId) -> Snapshot:
    return {"name": _host(link), "assigned_to": subuser_id}


def _name_snapshot(name: ReverseName) -> Snapshot:
    return {
        "ip": name.ip,
        "name": plan_reverse_name(name).name,
        "number": str(name.id),
        "records": "there" if name.is_valid else "not found",
    }
