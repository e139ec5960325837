"""Editing a list: what each edit makes of it, and the one rule that no author shuts himself out unawares.

Each function returns the list as it is afterwards, on stable storage, or why it was left as it was. Making the edit
certain on every process is the caller's next step.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.ip_access.access_list import MAX_RULES, AccessList, IPRule, ListMode, Verdict
from gatepost.tenancy.access.ip_access.ports import IPAccessStore
from gatepost.tenancy.access.ip_allowlist import Address, Network, unmapped


class EditDenial(Enum):
    """Why a list was left as it was."""

    #: The author's own address would be refused afterwards; detail is the address.
    SHUTS_OUT_AUTHOR = "shuts out author"
    #: Nobody of those who were let in lately would be any more; detail is how many addresses that is.
    SHUTS_OUT_EVERYBODY = "shuts out everybody"
    #: Only a person with a fresh second factor forces an edit, or the operator.
    FORCE_NOT_ALLOWED = "force not allowed"
    #: Detail is the id.
    RULE_UNKNOWN = "rule unknown"
    TOO_MANY_RULES = "too many rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Whoever edits a list.

    Attributes:
        address: Where he is; None if he is not judged by this list: the operator at the command line, or a parent that
            acts on behalf of the account.
        may_force: Whether he has just proved a second factor, or is the operator. Never so for a key.
        let_in_lately: Addresses of others, of whom one at least must still get in: for an author who is not judged.
    """

    address: Address | None
    may_force: bool = False
    let_in_lately: Collection[Address] = ()


def decide_edit(after: AccessList, author: Author, *, force: bool) -> Decision:
    """Decide whether a list may become this."""
    if force and not author.may_force:
        return Deny(EditDenial.FORCE_NOT_ALLOWED)
    if len(after.rules) > MAX_RULES:
        return Deny(EditDenial.TOO_MANY_RULES, str(MAX_RULES))
    if force:
        return ALLOW
    if author.address is not None and after.judge(author.address) is Verdict.REFUSED:
        return Deny(EditDenial.SHUTS_OUT_AUTHOR, str(unmapped(author.address)))
    if author.let_in_lately and all(after.judge(each) is Verdict.REFUSED for each in author.let_in_lately):
        return Deny(EditDenial.SHUTS_OUT_EVERYBODY, str(len(author.let_in_lately)))
    return ALLOW


def begin_as(store: IPAccessStore, account_id: AccountId, model: AccessList) -> None:
    """Give a new account the list of another: else whoever may make accounts could be reached in them from anywhere."""
    if model.rules:
        store.change(account_id, lambda _: model)


def add_rules(
    store: IPAccessStore,
    account_id: AccountId,
    networks: Sequence[Network],
    author: Author,
    *,
    now: datetime,
    force: bool = False,
) -> AccessList | Deny:
    """Let in these networks too. What is listed already is left as it is."""

    def add(current: AccessList) -> AccessList:
        listed = {rule.network for rule in current.rules}
        new = [network for network in dict.fromkeys(networks) if network not in listed]
        rules = [
            IPRule(id=current.last_id + place, network=network, created_at=now, updated_at=now)
            for place, network in enumerate(new, start=1)
        ]
        return replace(current, rules=(*current.rules, *rules), last_id=current.last_id + len(rules))

    return _change(store, account_id, add, author, force=force)


def remove_rules(
    store: IPAccessStore, account_id: AccountId, ids: Collection[int], author: Author, *, force: bool = False
) -> AccessList | Deny:
    """Take out these rules, all of them or none. Without any rule left, everybody is let in."""

    def remove(current: AccessList) -> AccessList | Deny:
        unknown = set(ids) - {rule.id for rule in current.rules}
        if unknown:
            return Deny(EditDenial.RULE_UNKNOWN, str(min(unknown)))
        return replace(current, rules=tuple([rule for rule in current.rules if rule.id not in ids]))

    return _change(store, account_id, remove, author, force=force)


def set_mode(
    store: IPAccessStore, account_id: AccountId, mode: ListMode, author: Author, *, force: bool = False
) -> AccessList | Deny:
    """Switch refusing on, or only observe."""
    return _change(store, account_id, lambda current: replace(current, mode=mode), author, force=force)


def _change(
    store: IPAccessStore,
    account_id: AccountId,
    edit: Callable[[AccessList], AccessList | Deny],
    author: Author,
    *,
    force: bool,
) -> AccessList | Deny:
    def decide(current: AccessList) -> AccessList | Deny:
        after = edit(current)
        if isinstance(after, Deny):
            return after
        decision = decide_edit(after, author, force=force)
        return decision if isinstance(decision, Deny) else after

    return store.change(account_id, decide, is_forced=force)
