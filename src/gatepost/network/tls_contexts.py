"""TLS contexts of the listeners: Mozilla's *intermediate* profile, reloaded without dropping a session.

Each listener has a context of its own. Its session tickets are encrypted with keys that OpenSSL draws for each context,
so a ticket from one port cannot be resumed at another, where another rule may hold.

An ``SSLContext`` costs milliseconds, so they are built at start and at reload, never for a connection.
"""

import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from gatepost.network.certificates import CertificateFacts, CertificateFiles, read_certificate
from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import Misconfigured

# Mozilla's intermediate profile, TLS 1.2 part; TLS 1.3 has its own three suites, all of them good.
# Deviation: its DHE suites are left out. They need fixed parameters, cost the server most (D(HE)at,
# CVE-2002-20001), and every client that has them has ECDHE too.
INTERMEDIATE_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)

# What OpenSSL calls a key that is another certificate's: one of its kind, one of another kind.
_MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


class ServerTLS:
    """The contexts of all listeners of a process."""

    def __init__(self, chains: Sequence[CertificateFiles], listeners: Sequence[str], clock: Clock) -> None:
        """Build a context for each listener.

        Args:
            chains: One or two chains of different key kinds; the ECDSA one is preferred wherever a client takes it.
            listeners: Names, such as "587-starttls".
            clock: Tells whether a certificate has expired.

        Raises:
            Misconfigured: A chain cannot be served; the text says which file, why, and what to do.
        """
        self._clock = clock
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._expires_at: datetime
        self._load(chains, listeners)

    @property
    def expires_at(self) -> datetime:
        """When the first of the served certificates expires."""
        return self._expires_at

    def context_for(self, listener: str) -> Callable[[], ssl.SSLContext]:
        """Return what gives a listener the context for a handshake that begins now."""
        contexts = self._contexts
        if listener not in contexts:
            raise KeyError(listener)
        return lambda: contexts[listener]

    def reload(self, chains: Sequence[CertificateFiles]) -> None:
        """Read the files again; handshakes from now on show what they hold, open sessions go on as they are.

        Raises:
            Misconfigured: They cannot be served; what was served before goes on being served.
        """
        self._load(chains, tuple(self._contexts))

    def _load(self, chains: Sequence[CertificateFiles], listeners: Sequence[str]) -> None:
        expires_at = min([_usable(files, self._clock.now()).valid_until for files in chains])
        built = {listener: build_server_context(chains) for listener in listeners}
        self._contexts.update(built)
        self._expires_at = expires_at


def build_server_context(chains: Sequence[CertificateFiles]) -> ssl.SSLContext:
    """Build one context of the intermediate profile that serves these chains.

    Raises:
        Misconfigured: A chain and its key cannot be loaded.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(INTERMEDIATE_CIPHERS)
    # Without a curve of our choice OpenSSL offers its own list, X25519 and P-256 first, which is the profile's.
    # Server preference puts ECDSA before RSA where a client takes both: it costs us half.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 1
    for files in chains:
        _load_chain(context, files)
    return context


def _usable(files: CertificateFiles, now: datetime) -> CertificateFacts:
    facts = read_certificate(files.chain)
    if facts.valid_until <= now:
        raise Misconfigured(
            f"the certificate {files.chain} expired on {facts.valid_until:%Y-%m-%d %H:%M} UTC; renew it"
        )
    if facts.valid_from > now:
        raise Misconfigured(
            f"the certificate {files.chain} is not valid before {facts.valid_from:%Y-%m-%d %H:%M} UTC; "
            "is this machine's clock right?"
        )
    return facts


def _load_chain(context: ssl.SSLContext, files: CertificateFiles) -> None:
    def refuse_password() -> str:
        raise Misconfigured(
            f"the private key {files.private_key} is encrypted; nobody is there to type its password at a start. "
            "Store it unencrypted, readable by the service's user alone"
        )

    try:
        context.load_cert_chain(files.chain, files.private_key, password=refuse_password)
    except ssl.SSLError as error:
        raise Misconfigured(_explain(error, files)) from error
    except OSError as error:
        raise Misconfigured(
            f"cannot read the certificate {files.chain} and its key {files.private_key}: {error.strerror}; "
            "the service's user must be able to"
        ) from error


def _explain(error: ssl.SSLError, files: CertificateFiles) -> str:
    if error.reason in _MISMATCHES:
        return (
            f"the private key {files.private_key} does not belong to the certificate {files.chain}; "
            "the certificate must come first in its file, its intermediates after it"
        )
    return f"cannot serve the certificate {files.chain} with the key {files.private_key}: {error.reason or error}"
