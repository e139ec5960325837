"""The names that operators gave to what the queue knows by id only."""

from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane


class AccountNames:
    """Every account's name, as of one instant; an account that is not there is shown by its id."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._names = {account.id: account.name for account in control_plane.accounts.list_all()}

    def of(self, account_id: AccountId) -> str:
        """Return the account's name."""
        return self._names.get(account_id, account_id)
