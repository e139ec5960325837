"""``on-behalf-of``: a parent's key acts in one of its subusers, for what allows it.

The key brings its own scopes and limits; the subuser is only where they are used. Since there is one level, a subuser
has nobody to act for. Who is no subuser of the caller gets one and the same answer, whether it exists or not.
"""

import re
from typing import Final

from gatepost.entrypoints.api.operation import Operation
from gatepost.entrypoints.api.ports import Subusers
from gatepost.entrypoints.api.problem import NEVER_ON_BEHALF, NOT_ON_BEHALF, Problem, problem_of_trouble
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account, AccountState

_BY_ID: Final = re.compile(r"account-id +(\S+)", re.IGNORECASE)


def find_subuser(
    header: str, operation: Operation, parent_id: AccountId | None, subusers: Subusers
) -> Account | Problem | None:
    """Return the subuser that the header names, or a refusal; None if there is no header.

    ``NAME``, in any case, or ``account-id ID`` (the dialect's form for accounts of resellers), with our id of the
    account. Acting in a disabled or suspended subuser is its parent's right; in a closed one there is nothing to do.
    """
    wanted = header.strip()
    if not wanted:
        return None
    if not operation.is_on_behalf or parent_id is None:
        return NEVER_ON_BEHALF
    try:
        by_id = _BY_ID.fullmatch(wanted)
        if by_id is None:
            found = subusers.find_subuser(parent_id, wanted.lower())
        else:
            found = next((each for each in subusers.list_subusers(parent_id) if each.id == by_id[1]), None)
    except Transient as trouble:
        return problem_of_trouble(trouble)
    return NOT_ON_BEHALF if found is None or found.state is AccountState.CLOSED else found
