"""New certificates and settings, without dropping a session.

What cannot change while the process runs is told, not half applied; what is wrong changes nothing at all.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gatepost.network.certificates import CertificateFiles
from gatepost.runtime.settings import TLS, Settings
from gatepost.runtime.settings_loader import load_settings
from gatepost.telemetry.logger import get_logger

log = get_logger()

_OF_THE_SUPERVISOR: Final = frozenset({"state_dir", "user", "workers", "listeners", "operations", "log"})
_OF_THE_SUPERVISOR_TOO: Final = frozenset({"api.enabled", "api.address", "api.port"})
"""Tables and settings that new workers alone do not put in force: ports, processes, whose they are, its own log."""


class Reloader:
    """Reads the settings file again and hands what has changed to those who can take it."""

    def __init__(
        self,
        path: Path,
        environment: Mapping[str, str],
        current: Settings,
        takers: Mapping[str, Callable[[Settings], None]],
    ) -> None:
        """Begin with the settings the process started with.

        Args:
            path: The settings file.
            environment: As at the start.
            current: What is in force.
            takers: By the name of a table ("tls") or a setting ("queue.reserve_octets"): puts that in force, or raises
                and changes nothing; only the first may raise. Each is called at every reload, since a file that a
                setting names may have changed.
        """
        self._path = path
        self._environment = environment
        self._current = current
        self._takers = takers

    async def reload(self) -> tuple[str, ...]:
        """Reload; return what needs a restart, for the operator.

        Raises:
            Misconfigured: The settings or a certificate are wrong; what was in force stays in force.
        """
        new = load_settings(self._path, self._environment)
        for take in self._takers.values():
            take(new)
        changes = find_changes(self._current, new)
        taken = [key for key in changes if not self._takers.keys().isdisjoint({key, key.partition(".")[0]})]
        notes = {key: tell_need(key) for key in changes if key not in taken}
        for key, need in notes.items():
            log.warning("setting_not_taken", key=key, needs=need)
        log.info("reloaded", taken=taken, needs_restart=list(notes))
        # What needs a restart is compared with what this process began with, until it is restarted.
        for key in taken:
            self._current = _take_over(self._current, new, key)
        return tuple(f"{key} has changed and needs {need}" for key, need in notes.items())


def tell_need(key: str) -> str:
    """Say what puts a changed setting in force that cannot change while a worker runs."""
    if key in _OF_THE_SUPERVISOR_TOO or key.partition(".")[0] in _OF_THE_SUPERVISOR:
        return "a restart"
    return "new workers: SIGUSR2 to the service, which replaces them without a pause, or a restart"


def find_changes(old: msgspec.Struct, new: msgspec.Struct, prefix: str = "") -> list[str]:
    """Return the keys of the settings that differ."""
    changes = []
    for name in old.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, msgspec.Struct) and isinstance(after, msgspec.Struct):
            changes += find_changes(before, after, f"{prefix}{name}.")
        elif before != after:
            changes.append(prefix + name)
    return changes


def _take_over(old: Settings, new: Settings, key: str) -> Settings:
    """Return ``old`` with one setting of ``new``."""
    table, _, name = key.partition(".")
    if not name:
        return msgspec.structs.replace(old, **{table: getattr(new, table)})
    section = msgspec.structs.replace(getattr(old, table), **{name: getattr(getattr(new, table), name)})
    return msgspec.structs.replace(old, **{table: section})


def certificate_chains(tls: TLS) -> list[CertificateFiles]:
    """Return the chains that the settings name, the first first."""
    pairs = ((tls.certificate, tls.private_key), (tls.second_certificate, tls.second_private_key))
    return [CertificateFiles(chain=chain, private_key=key) for chain, key in pairs if chain and key]
