"""New certificates and settings, without dropping a session.

What cannot change while the process runs is told, not half applied; what is wrong changes nothing at all.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from gatepost.network.certificates import CertificateFiles
from gatepost.runtime.settings import TLS, Settings
from gatepost.runtime.settings_loader import load_settings
from gatepost.telemetry.logger import get_logger

log = get_logger()


class Reloader:
    """Reads the settings file again and hands changed tables to those who can take them."""

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
            takers: By the name of a table ("tls"): puts that table's new settings in force, or raises and changes
                nothing. Each is called at every reload, since a file that a setting names may have changed.
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
        waiting = [key for key in find_changes(self._current, new) if key.partition(".")[0] not in self._takers]
        log.info("reloaded", needs_restart=waiting)
        # What needs a restart is compared with what this process began with, until it is restarted.
        self._current = msgspec.structs.replace(self._current, **{name: getattr(new, name) for name in self._takers})
        return tuple(f"{key} has changed and needs a restart" for key in waiting)


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


def certificate_chains(tls: TLS) -> list[CertificateFiles]:
    """Return the chains that the settings name, the first first."""
    pairs = ((tls.certificate, tls.private_key), (tls.second_certificate, tls.second_private_key))
    return [CertificateFiles(chain=chain, private_key=key) for chain, key in pairs if chain and key]
