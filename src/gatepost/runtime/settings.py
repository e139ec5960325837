"""Every setting, together: the top of the file, and what follows from several of them.

The one place; ``docs/reference/settings.md`` is made from it by ``tools/settings_reference.py``. A description is
written for the operator: what the setting decides, and why one would change it.
"""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from gatepost.primitives.secret import Secret
from gatepost.runtime.settings_of_senders import DKIM, DNS, Senders
from gatepost.runtime.settings_tables import (
    API,
    DEFAULT_LISTENERS,
    HOST_NAME,
    MIB,
    TLS,
    Console,
    Delivery,
    IPAddress,
    Limits,
    Listener,
    ListenerTLS,
    Log,
    Network,
    Operations,
    ProxyProtocol,
    QueueSettings,
    Section,
    Submission,
    SystemMail,
    Workers,
)

__all__ = [
    "API",
    "DEFAULT_LISTENERS",
    "DKIM",
    "DNS",
    "HOST_NAME",
    "TLS",
    "Console",
    "Delivery",
    "IPAddress",
    "Limits",
    "Listener",
    "ListenerTLS",
    "Log",
    "Network",
    "Operations",
    "ProxyProtocol",
    "QueueSettings",
    "Senders",
    "Settings",
    "Submission",
    "SystemMail",
    "Workers",
]


_MOST_BALLAST = 32 * MIB
"""As long as the queue's log gets, which may have to be copied on a disk that is full."""


class Settings(Section, frozen=True, kw_only=True):
    """The settings at the top of the file."""

    host_name: Annotated[
        str,
        Meta(
            pattern=HOST_NAME,
            examples=["mail.example.com"],
            description="This service's own name: in its greeting, its EHLO and its trace fields. It should resolve to "
            "the address that mail leaves from, and that address back to it.",
        ),
    ]
    state_dir: Annotated[
        Path,
        Meta(description="Where everything that must survive rests: the queue, the control database, the keyring."),
    ] = Path("/var/lib/gatepost")
    database_url: Annotated[
        Secret[str] | None,
        Meta(
            description="The control database, as an SQLAlchemy URL: `sqlite:////path/control.db` or "
            "`postgresql+psycopg://user@host/database`; unset, `control.db` in the state directory. As it may hold a "
            "password, it can be read from a file: `database_url_file`."
        ),
    ] = None
    keyring_file: Annotated[
        Path | None,
        Meta(
            description="The keys that encrypt secrets at rest; unset, `keyring` in the state directory. Whoever has "
            "it and the database can sign as every customer: back it up, apart from the database."
        ),
    ] = None
    user: Annotated[
        str | None,
        Meta(
            description="The user to run as. When started as root, the ports are opened first and then root is given "
            "up for good, in every process."
        ),
    ] = None
    workers: Workers = Workers()
    listeners: tuple[Listener, ...] = DEFAULT_LISTENERS
    tls: TLS = TLS()
    proxy_protocol: ProxyProtocol = ProxyProtocol()
    submission: Submission = Submission()
    api: API = API()
    limits: Limits = Limits()
    queue: QueueSettings = QueueSettings()
    delivery: Delivery = Delivery()
    senders: Senders = Senders()
    dns: DNS = DNS()
    dkim: DKIM = DKIM()
    system_mail: SystemMail = SystemMail()
    console: Console = Console()
    operations: Operations = Operations()
    log: Log = Log()

    @property
    def worker_listeners(self) -> "tuple[Listener | API, ...]":
        """Everything that each mail worker listens on: the submission ports, and the API unless it is off."""
        return (*self.listeners, self.api) if self.api.enabled else self.listeners

    @property
    def control_database_url(self) -> Secret[str]:
        """Where the control database is: as set, or SQLite in the state directory."""
        return self.database_url or Secret(f"sqlite:///{self.state_dir / 'control.db'}")

    @property
    def keyring_path(self) -> Path:
        """Where the keyring is."""
        return self.keyring_file or self.state_dir / "keyring"

    @property
    def queue_dir(self) -> Path:
        """Where the queue shards are, with the large contents that they spool."""
        return self.state_dir / "queue"

    @property
    def reserve_octets(self) -> int:
        """How much is to stay free on the queue's disk."""
        return self.queue.reserve_octets or max(64 * MIB, self.submission.max_size_octets * 3 // 2)

    @property
    def ballast_octets(self) -> int:
        """How much each mail worker holds of that disk, to give back when others have filled it."""
        return min(_MOST_BALLAST, self.reserve_octets // 2)

    @property
    def run_dir(self) -> Path:
        """Control sockets and the lock of the running service."""
        return self.state_dir / "run"

    @property
    def metrics_dir(self) -> Path:
        """Where processes leave their counts."""
        return self.run_dir / "metrics"

    def share(self, total: int) -> int:
        """What one of the mail workers may take of what all of them may take together; at least 1."""
        return -(-total // self.mail_worker_count)

    @property
    def mail_worker_count(self) -> int:
        """How many mail workers with listeners there are."""
        return self.workers.mail or len(os.sched_getaffinity(0))
