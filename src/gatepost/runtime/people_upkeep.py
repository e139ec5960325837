"""What a mail worker repeats for people: telling them by mail what was done to their accounts."""

import asyncio
import os
import socket
from datetime import timedelta
from typing import Final

from gatepost.primitives.errors import Transient
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.periodic import Periodic
from gatepost.runtime.settings import Settings
from gatepost.storage.leases import SqlLeases
from gatepost.storage.notices import SqlNoticeCursors
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.accounts.notifier import Notifier
from gatepost.tenancy.accounts.person_ports import SystemMailer

NOTICES_EVERY: Final = timedelta(seconds=5)
LEASE: Final = "notices"
LEASE_FOR: Final = timedelta(seconds=60)

log = get_logger()


def keep_up_people(
    settings: Settings, control: ControlPlane, mailer: SystemMailer, metrics: Metrics
) -> tuple[Periodic, ...]:
    """Return the work; none where notices are off, or there is no address to write from."""
    if settings.system_mail.author is None or not settings.system_mail.notices:
        return ()
    leases = SqlLeases(control.database)
    holder = f"{socket.gethostname()}/{os.getpid()}/{control.entropy.draw(4).hex()}"
    notifier = Notifier(
        control.people_tools,
        audit=control.audit,
        cursors=SqlNoticeCursors(control.database),
        mailer=mailer,
        host_name=settings.host_name,
        metrics=metrics,
    )

    def take_turn() -> bool:
        # Looked at first: a lease is a commit, after which every process looks its rights up again.
        now = control.clock.now()
        return notifier.is_behind() and leases.take(LEASE, holder, now=now, until=now + LEASE_FOR)

    async def send_notices() -> None:
        try:
            if not await asyncio.to_thread(take_turn):
                return
            try:
                await notifier.catch_up()
            finally:
                await asyncio.to_thread(leases.give_back, LEASE, holder)
        except Transient as trouble:
            log.warning("notices_put_off", reason=str(trouble))

    return (Periodic(name="send_notices", every=NOTICES_EVERY, work=send_notices),)
