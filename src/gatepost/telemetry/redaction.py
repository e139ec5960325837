"""What may stand in a log line: no secret, and nothing that could be taken for another line.

Threats: a credential that a client pasted into the wrong command or that an exception carried along; text written by
a client that forges a line, hides one, or drives the terminal of whoever reads the log (OWASP ASVS 5.0, 16.4.1).
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from gatepost.primitives.secret import Secret

REDACTED = "[redacted]"

# A key as it is, and as AUTH carries it: after base64 (RFC 4616, "\0apikey\0SG.…"; LOGIN's bare "SG.…", whose
# 69 octets make exactly 92 characters; HTTP Basic's "apikey:SG.…").
_CREDENTIAL = re.compile(
    r"SG\.[\w-]{22}\.[\w-]{43}"
    r"|AGFwaWtleQBTRy[A-Za-z0-9+/]{60,}={0,2}"
    r"|YXBpa2V5OlNH[A-Za-z0-9+/]{60,}={0,2}"
    r"|U0cu[A-Za-z0-9+/]{88}"
    # Sessions, invitations, resets, proofs of addresses (tenancy.accounts.token), with or without a link around.
    r"|gp[sirve]_[\w-]{43}",
    re.ASCII,
)
_MARKS = ("SG.", "AGFwaWtleQ", "YXBpa2V5O", "U0cu", "gps_", "gpi_", "gpr_", "gpv_", "gpe_")
_SECRET_WORDS = frozenset({"password", "secret", "token", "authorization", "credential", "cookie", "passphrase"})
_MAX_DEPTH = 4


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make every field of an event fit to be written; a structlog processor.

    Fields named for a secret lose their value, ``Secret`` and key-shaped text are replaced, and characters that do
    not print are escaped. Only ``exception``, a traceback, keeps its line ends: the renderers keep them harmless.
    """
    for name, value in event.items():
        if name == "exception" and isinstance(value, str):
            event[name] = "\n".join([clean_text(line) for line in value.split("\n")])
        elif type(value) is not int:
            event[name] = REDACTED if _names_secret(name) else clean(value)
    return event


def clean(value: object, depth: int = 0) -> object:
    """Return a value without secrets and control characters, of types that JSON has."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Secret) or depth >= _MAX_DEPTH:
        return REDACTED
    if isinstance(value, (bytes, bytearray)):
        return clean_text(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, Mapping):
        return {
            clean_text(str(name)): REDACTED if _names_secret(str(name)) else clean(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean(item, depth + 1) for item in value]
    return clean_text(str(value))


def clean_text(text: str) -> str:
    r"""Replace key-shaped text, and write characters that do not print as ``\x1b`` or ``\u2028``."""
    for mark in _MARKS:
        if mark in text:
            text = _CREDENTIAL.sub(REDACTED, text)
            break
    if text.isprintable():
        return text
    return "".join([character if character.isprintable() else _escape(character) for character in text])


def _names_secret(name: str) -> bool:
    # ``password_hash`` and ``X-Auth-Token`` name one; ``tokens_left`` does not.
    return not _SECRET_WORDS.isdisjoint(name.lower().replace("-", "_").split("_"))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
