"""Where the inbox keeps what came: ``1.eml`` exactly as received, ``1.json`` what was found out about it."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gatepost.cli.demo.inbox.verdict import Delivery, Verdict
from gatepost.network.certificates import write_new_file

MAX_SHOWN: Final = 500
"""Messages the pages know of; older ones stay in the folder."""

_HEAD_OCTETS: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """One message of the inbox; ``head`` holds its first octets, enough for the header section."""

    number: int
    path: Path
    head: bytes
    size_octets: int
    delivery: Delivery
    verdict: Verdict


class Mailbox:
    """The folder, and the newest of what is in it. Numbers begin at 1."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self._messages: OrderedDict[int, StoredMessage] = OrderedDict()
        self._last_number = 0

    def take_number(self) -> int:
        """Return the number of the next message."""
        self._last_number += 1
        return self._last_number

    def write(self, number: int, octets: bytes, delivery: Delivery, verdict: Verdict) -> StoredMessage:
        """Write both files, durable on return; may run in a thread. Raises ``OSError`` if there is no room."""
        path = self.folder / f"{number}.eml"
        notes = msgspec.json.format(msgspec.json.encode({"delivery": delivery, "verdict": verdict}), indent=2)
        write_new_file(path, octets, mode=0o600)
        write_new_file(path.with_suffix(".json"), notes + b"\n", mode=0o600)
        return StoredMessage(
            number=number,
            path=path,
            head=octets[:_HEAD_OCTETS],
            size_octets=len(octets),
            delivery=delivery,
            verdict=verdict,
        )

    def show(self, message: StoredMessage) -> None:
        """Let the pages know of it."""
        self._messages[message.number] = message
        if len(self._messages) > MAX_SHOWN:
            self._messages.popitem(last=False)

    def list_newest(self) -> list[StoredMessage]:
        """Return what is known, newest first."""
        return sorted(self._messages.values(), key=lambda message: -message.number)

    def find(self, number: int) -> StoredMessage | None:
        """Return one message."""
        return self._messages.get(number)
