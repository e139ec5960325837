"""The meters of a mail worker: those that all workers of the machine share."""

from dataclasses import dataclass
from pathlib import Path

from gatepost.runtime.settings import Settings
from gatepost.storage.shared_cells import SharedCells
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.meters import MemoryCells, Meters
from gatepost.tenancy.access.sending_rate import SendingRate

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerMeters:
    """Two tables, so that who is known to nobody cannot push accounts out of theirs by coming from many addresses.

    Attributes:
        of_accounts: What keys and accounts do.
        of_strangers: What addresses do, and wrong credentials.
    """

    of_accounts: Meters
    of_strangers: Meters


def open_meters(settings: Settings) -> WorkerMeters:
    """Open them; where there is no room for the files each worker counts for itself."""
    return WorkerMeters(
        of_accounts=_open(settings.run_dir / "account-meters"), of_strangers=_open(settings.run_dir / "address-meters")
    )


def compose_rate(settings: Settings, meters: WorkerMeters) -> SendingRate:
    """Make what counts messages and recipients."""
    limits = settings.limits
    return SendingRate(
        meters.of_accounts,
        default=limits.of_accounts,
        address_messages_per_minute=limits.address_messages_per_minute,
    )


def _open(path: Path) -> Meters:
    try:
        return Meters(SharedCells(path))
    except OSError as error:
        # A worker that does not start would be the worse answer to a full disk.
        log.warning("meters_not_shared", path=str(path), reason=error.strerror)
        return Meters(MemoryCells())
