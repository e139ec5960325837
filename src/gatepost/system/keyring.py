"""The keyring: what encrypts secrets at rest and peppers the hashes of credentials.

A text file of its own, kept apart from the database and from its copies: whoever has only one of the two has neither
DKIM keys nor a way to test guesses. One key a line, oldest first, ``<id> <32 bytes as base64url>``; the id is the
beginning of a hash of the key, so that a damaged line is noticed before it damages anything. The newest key seals,
each unseals what it sealed. The pepper comes from the *oldest*: adding a line changes no hash; taking the first line
away makes every API key invalid.
"""

import hmac
import os
import pwd
import stat
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.errors import Misconfigured, Permanent
from gatepost.primitives.ids import base64url

_KEY_OCTETS: Final = 32
_ID_OCTETS: Final = 4
_NONCE_OCTETS: Final = 12
_HEADER: Final = (
    "# Gatepost keyring: one key a line, oldest first. Keep it secret, keep a copy, and keep it away from the\n"
    "# database and its copies. Without it no DKIM key can be read and no API key works.\n"
)


class Keyring:
    """Seals, unseals and hashes. Holds only keys derived from those of the file (HKDF-SHA-256, RFC 5869)."""

    def __init__(self, keys: tuple[bytes, ...], entropy: Entropy) -> None:
        self._entropy: Final = entropy
        self._sealers: Final = {_key_id(key): AESGCM(_derive(key, b"gatepost seal 1")) for key in keys}
        self._newest: Final = _key_id(keys[-1])
        self._pepper: Final = _derive(keys[0], b"gatepost pepper 1")

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt with AES-256-GCM: 4 bytes of key id, 12 of nonce, the ciphertext, 16 of tag.

        Args:
            plain: What to keep secret.
            context: What it is and whose, ``dkim/acc_…/example.com``. Authenticated, not stored: a sealed value
                moved to another row cannot be unsealed there.
        """
        nonce = self._entropy.draw(_NONCE_OCTETS)
        sealed = self._sealers[self._newest].encrypt(nonce, plain, context.encode())
        return self._newest + nonce + sealed

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Decrypt what ``seal`` made in the same context.

        Raises:
            Misconfigured: The key that sealed it is not in the file.
            Permanent: It was altered, or belongs somewhere else.
        """
        key_id, nonce = sealed[:_ID_OCTETS], sealed[_ID_OCTETS : _ID_OCTETS + _NONCE_OCTETS]
        sealer = self._sealers.get(key_id)
        if sealer is None:
            raise Misconfigured(
                f"the key {key_id.hex()} that sealed {context} is not in the keyring: put back the keyring file that "
                "belongs to this database"
            )
        try:
            return sealer.decrypt(nonce, sealed[_ID_OCTETS + _NONCE_OCTETS :], context.encode())
        except (InvalidTag, ValueError) as error:
            raise Permanent(
                f"the sealed value of {context} is damaged, or is not the one that was sealed there"
            ) from error

    def hash_secret(self, secret: bytes) -> bytes:
        """Return HMAC-SHA-256 of a secret under the pepper: 32 bytes. Only for secrets too long to be guessed."""
        return hmac.digest(self._pepper, secret, "sha256")


def create_keyring(path: Path, entropy: Entropy) -> None:
    """Write a keyring with one new key, readable by its owner only, and make it durable.

    Raises:
        Misconfigured: There is a file already, which is left as it is, or it cannot be written.
    """
    key = entropy.draw(_KEY_OCTETS)
    text = f"{_HEADER}{_key_id(key).hex()} {base64url(key)}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise Misconfigured(f"there is a keyring at {path} already; it is never overwritten") from error
    except OSError as error:
        raise Misconfigured(f"cannot write the keyring {path}: {error.strerror}") from error


def load_keyring(path: Path, entropy: Entropy) -> Keyring:
    """Read a keyring.

    Raises:
        Misconfigured: It is missing, not ours alone to read, or not a keyring; the text says what to do.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            octets = file.read(1 << 16)
    except FileNotFoundError as error:
        raise Misconfigured(f"no keyring at {path}: run `gatepost init`, or mend the path in the settings") from error
    except OSError as error:
        raise Misconfigured(f"cannot read the keyring {path}: {error.strerror}") from error
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Misconfigured(
            f"the keyring {path} may be read or written by others than its owner (mode "
            f"{stat.S_IMODE(status.st_mode):04o}): run `chmod 600 {path}`, and consider its keys known to whoever could"
        )
    if status.st_uid not in (os.geteuid(), 0):
        owner = _user_name(status.st_uid)
        raise Misconfigured(
            f"the keyring {path} belongs to {owner}: give this command as that user (`sudo -u {owner} gatepost …`), "
            f"or, if {owner} is not the user that the service runs as, chown it"
        )
    return Keyring(_parse(octets, path), entropy)


def _parse(octets: bytes, path: Path) -> tuple[bytes, ...]:
    keys = []
    # Nothing of a line may enter an error: it holds a key.
    for number, line in enumerate(octets.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            key_id, encoded = line.split()
            key = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
        except (ValueError, Base64Error):
            raise Misconfigured(f"{path}, line {number}: not `<id> <key>`") from None
        if len(key) != _KEY_OCTETS:
            raise Misconfigured(f"{path}, line {number}: the key has {len(key)} bytes, not {_KEY_OCTETS}")
        if key_id != _key_id(key).hex().encode():
            raise Misconfigured(f"{path}, line {number}: the id is not that of the key; the line is damaged")
        keys.append(key)
    if not keys:
        raise Misconfigured(f"{path} holds no key")
    return tuple(keys)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def _key_id(key: bytes) -> bytes:
    return sha256(b"gatepost keyring id" + key).digest()[:_ID_OCTETS]


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_OCTETS, salt=None, info=purpose).derive(key)
