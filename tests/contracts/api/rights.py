"""What everybody holds, counted out over a small world of scopes, addresses, authors, recipients and times.

The code that decides is not asked: a right is a tuple, a holder a set of them, and whether one set lies in another is
for Python to say. A person's rights are those of his role, an invitation's those of the person who accepts it, and what
a parent's key or person holds he holds in its subusers too, where he can act on their behalf.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from itertools import product
from typing import Any

from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.teammate import Role

SCOPES = (
    *[f"api_keys.{verb}" for verb in ("create", "read", "update", "delete")],
    *[f"teammates.{verb}" for verb in ("create", "read", "update", "delete")],
    *[f"subusers.{verb}" for verb in ("create", "read", "update", "delete")],
    *("subusers.credits.update", "subusers.credits.remaining.update", "whitelabel.update", "mail.send", "billing.read"),
)
PEERS = [ip_address(text) for text in ("192.0.2.1", "192.0.2.200", "203.0.113.1", "2001:db8::1")]
AUTHORS = ["ann@example.com", "bob@example.com", "ann@example.net"]
RECIPIENTS = ["dest.test", "other.test"]
AFTER = [timedelta(hours=12), timedelta(days=2), timedelta(days=60), timedelta(days=3000)]

Right = tuple[Any, ...]
#: Only who is an admin may change people: to a person with scopes this one opens no door, and so he has not got it.
OF_ADMINS = frozenset({"teammates.update"})


@dataclass(frozen=True)
class Holding:
    """What somebody, or an open invitation, holds in one account."""

    account: Any
    grant: Grant
    is_owner: bool = False


@dataclass(frozen=True)
class World:
    """Everything that could be widened, at one moment.

    Attributes:
        holdings: By the id of a key, a person or an invitation.
        accounts: By id, a subuser's too.
        names: By account, the domains that it may send as, its own and those it was lent.
        credits: By account, what its parent lets it send.
    """

    holdings: dict[str, Holding]
    accounts: dict[Any, Any]
    names: dict[Any, frozenset[str]]
    credits: dict[Any, Any]

    def reach(self, account_id: Any) -> frozenset[Any]:
        """The accounts in which a holder of that account can act."""
        return frozenset(each.id for each in self.accounts.values() if account_id in {each.id, each.parent_id})


def look(control: Any, roots: Iterable[Any], now: datetime) -> World:
    """Look at the stores, of these accounts and their subusers."""
    found = [control.accounts.find(each) for each in roots]
    accounts = {each.id: each for root in found for each in (root, *control.accounts.list_subusers(root.id))}
    holdings: dict[str, Holding] = {}
    stores = control.people_stores
    for account in accounts:
        for key in control.keys.list_all(account):
            if key.revoked_at is None:
                holdings[key.id] = Holding(account, key.grant)
        for person in stores.teammates.list_all(account):
            holdings[person.id] = _of_person(account, person.role, person.scopes)
        for invitation in stores.invitations.list_all(account):
            if invitation.expires_at > now:
                holdings[invitation.id] = _of_person(account, invitation.role, invitation.scopes)
    names = {each: _names(control, each) for each in accounts}
    allocations = {each: control.accounts.find_allocation(each) for each in accounts}
    return World(holdings, accounts, names, allocations)


def _of_person(account: Any, role: Role, scopes: frozenset[str]) -> Holding:
    held = scopes - OF_ADMINS if role is Role.SCOPED else frozenset(SCOPES)
    return Holding(account, Grant(scopes=held), is_owner=role is Role.OWNER)


def _names(control: Any, account: Any) -> frozenset[str]:
    own = {each.name for each in control.domains.list_all(account) if each.state.value == "verified"}
    return frozenset(own | {each.name for each in control.domains.list_assigned(account)})


def rights(world: World, holding: Holding | None, *, began_at: datetime, now: datetime) -> set[Right]:
    """Every single thing that somebody may do from now on, and in which account."""
    if holding is None:
        return set()
    reach = world.reach(holding.account)
    return {(account, *right) for account in reach for right in _permitted(holding.grant, began_at, now)}


@lru_cache(maxsize=500)
def _permitted(grant: Grant, began_at: datetime, now: datetime) -> frozenset[Right]:
    peers = [each for each in PEERS if not grant.allowed_networks or any(each in n for n in grant.allowed_networks)]
    authors = [each for each in AUTHORS if may_write_as(grant, each)]
    domains = [each for each in RECIPIENTS if each in (grant.allowed_recipient_domains or RECIPIENTS)]
    times = [began_at + after for after in AFTER]
    left = [each for each in times if each > now and (grant.expires_at is None or each < grant.expires_at)]
    return frozenset(product(sorted(grant.scopes & frozenset(SCOPES)), peers, authors, domains, left))


def may_write_as(grant: Grant, name: str) -> bool:
    """Whether a grant lets an address, or a whole domain, be the author."""
    allowed = grant.allowed_authors
    return not allowed or name in allowed or name.rpartition("@")[2] in allowed


def assert_charged(grant: Grant, purses: Iterable[Any]) -> None:
    """What a key sends is taken from each of these, within limits as tight."""
    charged = {purse.id: dict(purse.budget.limits()) for purse in grant.purses}
    for purse in purses:
        for measure, limit in purse.budget.limits():
            assert charged[purse.id][measure] <= limit


def assert_states_kept(before: World, after: World, caller: Holding | None) -> None:
    """Nobody lifts what the operator did; switches and credits of an account are its parent's alone."""
    for account_id, account in after.accounts.items():
        was = before.accounts.get(account_id)
        if was is None:
            continue
        assert account.state in {was.state, AccountState.CLOSED}
        is_changed = account != was or after.credits[account_id] != before.credits[account_id]
        assert not is_changed or (caller is not None and caller.account == account.parent_id)


def assert_names_kept(before: World, after: World, caller: Holding | None) -> None:
    """Whoever lets an account send as a domain may send as all of it himself."""
    for account_id, names in after.names.items():
        for name in names - before.names.get(account_id, frozenset()):
            assert caller is not None
            assert account_id in after.reach(caller.account)
            assert name in before.names[caller.account]
            assert may_write_as(caller.grant, name), name
