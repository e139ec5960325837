"""Making an account, and the moves between its states."""

import re
from datetime import datetime
from typing import Final

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId, new_account_id
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.ports import AccountStore

#: From which states each may be reached. CLOSED is for good: nothing leads out of it. A move to where an account is
#: already is legal, so that a command that was cut short can be given again.
TRANSITIONS: Final = {
    AccountState.ACTIVE: frozenset({AccountState.ACTIVE, AccountState.SUSPENDED}),
    AccountState.SUSPENDED: frozenset({AccountState.ACTIVE, AccountState.SUSPENDED}),
    AccountState.CLOSED: frozenset(AccountState),
}

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


class AccountRefused(Exception):
    """The request cannot be done as it stands; the text says why, for the operator."""


def create(store: AccountStore, name: str, *, now: datetime, entropy: Entropy) -> Account:
    """Make an active account.

    Raises:
        AccountRefused: The name is not one we take. A name may stand wherever an id does, so it must not look like
            one, and must need no quoting in a shell, a log or a URL.
        AccountNameTaken: There is one of that name.
    """
    if not _NAME.fullmatch(name) or name.startswith("acc_"):
        raise AccountRefused(
            f"{name!r} is not a name for an account: use 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning and "
            "ending with a letter or digit, and not beginning with acc_"
        )
    account = Account(id=new_account_id(entropy), name=name, state=AccountState.ACTIVE, created_at=now)
    store.add(account)
    return account


def move(store: AccountStore, account: Account, to: AccountState) -> None:
    """Suspend, resume or close an account; durable on return.

    From then on no right of a suspended or closed account is renewed (``Principals.recheck``); holding what it has
    queued is the caller's next step.

    Raises:
        AccountRefused: The account is closed.
    """
    if not store.change_state(account.id, to=to, only_from=TRANSITIONS[to]):
        raise AccountRefused(f"account {account.name} is closed, and that is for good: create another one")


def find_named(store: AccountStore, reference: str) -> Account | None:
    """Return the account an operator means: by id if it looks like one, else by name."""
    return store.find(AccountId(reference)) if reference.startswith("acc_") else store.find_by_name(reference)
