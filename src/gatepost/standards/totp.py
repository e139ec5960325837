"""Time-based one-time passwords (RFC 6238) over HOTP (RFC 4226), as authenticator applications calculate them.

HMAC-SHA-1, 6 digits, steps of 30 seconds: the only parameters that every application knows. What SHA-1 is weak in,
collisions, HMAC does not rest on (RFC 6238 §1.2).
"""

import hmac
from base64 import b32encode
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

DIGITS: Final = 6
STEP: Final = timedelta(seconds=30)
SECRET_OCTETS: Final = 20
"""As long as the hash (RFC 4226 §4 R6)."""


def hotp(secret: bytes, counter: int, *, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """Return the code of a counter. Source: RFC 4226 §5.3; other hashes: RFC 6238 §1.2."""
    digest = hmac.digest(secret, counter.to_bytes(8, "big"), algorithm)
    offset = digest[-1] & 0x0F
    truncated = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{truncated % 10**digits:0{digits}d}"


def step_at(instant: datetime) -> int:
    """Return the number of the time step that an instant lies in. Source: RFC 6238 §4.2, T0 = 0."""
    return int(instant.timestamp() // STEP.total_seconds())


def find_step(secret: bytes, code: str, now: datetime, *, tolerance: int = 1) -> int | None:
    """Return which step a code belongs to, looking ``tolerance`` steps back and ahead; None if to none.

    Each step is compared in constant time, and all of them are: how long it takes tells nothing. Whoever accepts a code
    remembers its step and takes no code of that step or of an earlier one again (RFC 6238 §5.2).
    """
    if not (len(code) == DIGITS and code.isascii() and code.isdigit()):
        return None
    present = step_at(now)
    found = None
    for step in range(max(0, present - tolerance), present + tolerance + 1):
        if hmac.compare_digest(hotp(secret, step), code):
            found = step
    return found


def provisioning_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """Return what an authenticator application reads from a QR code: ``otpauth://totp/…``."""
    label = quote(f"{issuer}:{account}", safe=":")
    query = urlencode({"secret": secret_text(secret), "issuer": issuer, "digits": DIGITS, "period": 30})
    return f"otpauth://totp/{label}?{query}"


def secret_text(secret: bytes) -> str:
    """Return the secret as one types it into an application: base32 without padding."""
    return b32encode(secret).decode("ascii").rstrip("=")
