"""The source addresses of accounts: what is assigned to them, as far as the operator has an address here for it."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final

from gatepost.mailflow.delivery.source import ANY_SOURCE, Sources
from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.ids import AccountId
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.current import Current
from gatepost.tenancy.access.ports import AccessVersion
from gatepost.tenancy.accounts.ports import AccountStore

LOOK_EVERY_SECONDS: Final = 10.0

log = get_logger()


def parse_source_addresses(settings: Mapping[str, str]) -> Mapping[str, str]:
    """Return by assigned address the local one that its connections leave from, both as they are written by us.

    Raises:
        Misconfigured: One is no address, or the two are not of one family.
    """
    parsed: dict[str, str] = {}
    for assigned, local in settings.items():
        try:
            pair = ip_address(assigned), ip_address(local)
        except ValueError as error:
            raise Misconfigured(f"[delivery.source_addresses] {assigned} = {local}: {error}") from error
        if pair[0].version != pair[1].version:
            raise Misconfigured(
                f"[delivery.source_addresses] {assigned} = {local}: both must be IPv4, or both IPv6 addresses"
            )
        parsed[str(pair[0])] = str(pair[1])
    return parsed


class AssignedSources:
    """Says from where an account's mail may leave; an account without an assigned address that is here uses any."""

    def __init__(
        self,
        local_addresses: Mapping[str, str],
        *,
        accounts: AccountStore,
        version: AccessVersion,
        find_trouble: Callable[[str], str],
        monotonic: Callable[[], float],
    ) -> None:
        """Go by these.

        Args:
            local_addresses: By assigned address, the local one.
            accounts: Asked again when anything in the control plane has changed, which ``version`` tells.
            find_trouble: Why no connection could leave from a local address; asked again after a while.
            monotonic: Counts seconds.
        """
        self._local = local_addresses
        self._accounts = accounts
        self._current: Final[Current[dict[AccountId, tuple[str, ...]]]] = Current(version, dict)
        self._find_trouble = find_trouble
        self._monotonic = monotonic
        self._looked: dict[str, tuple[float, str]] = {}

    def find(self, account_id: AccountId) -> Sources:
        """Return from where. Raises ``Transient`` when the control plane does not answer."""
        if not self._local:
            return ANY_SOURCE
        held = self._current.get()
        if account_id not in held:
            held[account_id] = self._read(account_id)
        assigned = held[account_id]
        if not assigned:
            return ANY_SOURCE
        troubles = {address: self._look(address) for address in assigned}
        usable = tuple([address for address, trouble in troubles.items() if not trouble])
        if usable:
            return Sources(addresses=usable)
        shown = "; ".join(f"{address}: {trouble}" for address, trouble in troubles.items())
        return Sources(trouble=f"no source address of the account can be used on this machine ({shown})")

    def count_unusable(self) -> int:
        """Return how many of all local addresses no connection could leave from."""
        return sum([bool(self._look(address)) for address in set(self._local.values())])

    def _read(self, account_id: AccountId) -> tuple[str, ...]:
        account = self._accounts.find(account_id)
        assigned = account.addresses if account else ()
        return tuple([self._local[_spell(each)] for each in assigned if _spell(each) in self._local])

    def _look(self, address: str) -> str:
        now = self._monotonic()
        looked_at, before = self._looked.get(address, (float("-inf"), ""))
        if now - looked_at < LOOK_EVERY_SECONDS:
            return before
        trouble = self._find_trouble(address)
        if trouble != before:
            log.error("source_address", address=address, trouble=trouble or "none any more")
        self._looked[address] = now, trouble
        return trouble


def _spell(address: str) -> str:
    return str(ip_address(address))
