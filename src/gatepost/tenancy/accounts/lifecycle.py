"""Making an account, and the moves between its states; what a parent does to a subuser is in ``subuser``."""

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
    AccountState.ACTIVE: frozenset(AccountState) - {AccountState.CLOSED},
    # A suspended account is not made better by looking into it: resume it first.
    AccountState.UNDER_REVIEW: frozenset({AccountState.ACTIVE, AccountState.UNDER_REVIEW}),
    AccountState.SUSPENDED: frozenset(AccountState) - {AccountState.CLOSED},
    AccountState.CLOSED: frozenset(AccountState),
}

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{0,62}[a-z0-9])?")


class AccountRefused(Exception):
    """The request cannot be done as it stands; the text says why, for the operator."""


def require_name(name: str) -> None:
    """Raise ``AccountRefused`` if an account cannot be called so."""
    if not _NAME.fullmatch(name) or name.startswith("acc_"):
        raise AccountRefused(
            f"{name!r} is not a name for an account: use 1 to 64 of a-z, 0-9, '.', '_', '@' and '-', beginning and "
            "ending with a letter or digit, and not beginning with acc_"
        )


def create(
    store: AccountStore,
    name: str,
    *,
    now: datetime,
    entropy: Entropy,
    parent: Account | None = None,
    email: str = "",
    addresses: tuple[str, ...] = (),
) -> Account:
    """Make an active account, or with a ``parent`` a subuser of that one.

    Raises:
        AccountRefused: The name is not one we take. A name may stand wherever an id does, so it must not look like
            one, and must need no quoting in a shell, a log or a URL. Or the parent is a subuser itself, or closed.
        AccountNameTaken: There is one of that name, in this account or another.
    """
    require_name(name)
    if parent is not None and parent.parent_id is not None:
        raise AccountRefused(f"account {parent.name} is a subuser, and a subuser has none of its own")
    if parent is not None and parent.state is AccountState.CLOSED:
        raise AccountRefused(f"account {parent.name} is closed, and that is for good")
    account = Account(
        id=new_account_id(entropy),
        name=name,
        state=AccountState.ACTIVE,
        created_at=now,
        parent_id=parent.id if parent else None,
        parent_state=parent.state if parent else AccountState.ACTIVE,
        email=email,
        addresses=addresses,
    )
    store.add(account)
    return account


def move(store: AccountStore, account: Account, to: AccountState) -> None:
    """Review, suspend, resume or close an account; durable on return.

    From then on no right that its new state takes away is renewed (``Principals.recheck``), nor any of its subusers'
    that the state takes away from them; holding what they have queued is the caller's next step.

    Raises:
        AccountRefused: The account is closed; or suspended, and is to be reviewed.
    """
    if store.change_state(account.id, to=to, only_from=TRANSITIONS[to]):
        return
    found = store.find(account.id)
    if found is not None and found.state is not AccountState.CLOSED:
        raise AccountRefused(
            f"account {account.name} is {found.state.value}, which is more than {to.value}: resume it first"
        )
    raise AccountRefused(f"account {account.name} is closed, and that is for good: create another one")


def find_named(store: AccountStore, reference: str) -> Account | None:
    """Return the account an operator means: by id if it looks like one, else by name."""
    return store.find(AccountId(reference)) if reference.startswith("acc_") else store.find_by_name(reference)
