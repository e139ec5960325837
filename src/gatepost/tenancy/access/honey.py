"""Honey keys: keys that nobody uses, laid where only somebody who is looking for keys would find them.

One looks and authenticates like any other; whoever uses it hears that the message cannot be stored at the moment, and
its use raises an alarm (docs/decisions/0013-honey-keys-hear-of-trouble.md). What tells it from other keys is known to
the operator alone.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.client import describe_client
from gatepost.tenancy.access.ip_allowlist import Address, unmapped
from gatepost.tenancy.access.scope_group import AccessLevel, require_groups
from gatepost.tenancy.audit.entry import Act, Actor, ActorKind
from gatepost.tenancy.audit.recorder import Recorder

if TYPE_CHECKING:
    # Commands look at keys too, and count nothing: they do not wait for what counts.
    from gatepost.telemetry.metrics import Metrics

QUIET_FOR: Final = timedelta(minutes=1)
"""How long after an alarm further uses of that key from that address only make the next alarm's count."""

HONEY_SCOPES: Final = require_groups([("Mail Send", AccessLevel.FULL.value)])
"""What a honey key may have: what it reads with others would be real. If it is given others later, by somebody who does
not know what it is, they open nothing."""

_MAX_REMEMBERED: Final = 10_000

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class HoneyUse:
    """Somebody has proved that he holds a honey key; ``times``, of which this is the last."""

    account_id: AccountId
    key_id: KeyId
    at: datetime
    peer: Address
    client: str
    times: int = 1


class HoneyAlarm:
    """Raises the alarm: in the audit log of the key's account, in the log, and in a metric."""

    def __init__(self, recorder_for: Callable[[Actor], Recorder], metrics: "Metrics") -> None:
        self._recorder_for: Final = recorder_for
        self._metrics: Final = metrics
        self._raised: Final[OrderedDict[tuple[KeyId, Address], datetime]] = OrderedDict()
        self._unrecorded: list[HoneyUse] = []

    @property
    def is_behind(self) -> bool:
        """An alarm is still to be written into the audit log."""
        return bool(self._unrecorded)

    def raise_for(self, uses: Iterable[HoneyUse]) -> None:
        """Raise the alarm for each, once a minute for one key and address. May wait for the store: not on the loop.

        Raises:
            Transient: The audit log could not be written; log and metric have been, and the next call tries again.
        """
        pending, self._unrecorded = self._unrecorded, []
        for use in uses:
            self._metrics.honey_key_uses.add(amount=use.times)
            if self._is_due(use):
                log.warning(
                    "honey_key_used",
                    account_id=use.account_id,
                    key_id=use.key_id,
                    peer=str(unmapped(use.peer)),
                    client=describe_client(use.client),
                    times=use.times,
                )
                pending.append(use)
        for place, use in enumerate(pending):
            try:
                self._record(use)
            except Transient:
                self._unrecorded = pending[place:][:_MAX_REMEMBERED]
                raise

    def _is_due(self, use: HoneyUse) -> bool:
        name = (use.key_id, use.peer)
        last = self._raised.get(name)
        if last is not None and timedelta(0) <= use.at - last < QUIET_FOR:
            return False
        self._raised[name] = use.at
        self._raised.move_to_end(name)
        if len(self._raised) > _MAX_REMEMBERED:
            self._raised.popitem(last=False)
        return True

    def _record(self, use: HoneyUse) -> None:
        origin = str(unmapped(use.peer))
        recorder = self._recorder_for(Actor(kind=ActorKind.KEY, id=use.key_id, origin=origin, credential="api key"))
        after = {"client": describe_client(use.client), "times": str(use.times)}
        with recorder.acting():
            recorder.record(use.account_id, Act.HONEY_KEY_USED, f"key/{use.key_id}", before=None, after=after)
