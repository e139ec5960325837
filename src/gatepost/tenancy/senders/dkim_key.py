"""DKIM keys of an authenticated domain: drawn, sealed for rest, unsealed for signing.

Each account gets keys and selectors of its own for a domain, so that a published key proves that its publisher meant
*this* account: what another account published, or left behind, proves nothing.
"""

from base64 import b32encode, b64encode
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.errors import Permanent
from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningAlgorithm, SigningKey
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, KeyState
from gatepost.tenancy.senders.ports import Keyring

_RSA_BITS = 2048
_PRIVATE_KEY_TYPES = {
    SigningAlgorithm.RSA_SHA256: RSAPrivateKey,
    SigningAlgorithm.ED25519_SHA256: Ed25519PrivateKey,
}


def generate_dkim_keys(
    account_id: AccountId, domain_name: str, *, keyring: Keyring, entropy: Entropy, created_at: datetime
) -> tuple[DKIMKey, DKIMKey]:
    """Draw an RSA-2048 and an Ed25519 key for an account's claim to a domain; some 50 ms, most of it for RSA.

    The selectors come from ``entropy``: ``gp``, six base32 characters common to both, and ``r`` or ``e``. The keys
    themselves are drawn by the cryptographic library from the operating system: it takes no other source.
    """
    tag = b32encode(entropy.draw(5))[:6].decode("ascii").lower()
    of_rsa, of_ed25519 = (
        generate_dkim_key(
            account_id, domain_name, selector, algorithm=algorithm, keyring=keyring, created_at=created_at
        )
        for selector, algorithm in (
            (f"gp{tag}r", SigningAlgorithm.RSA_SHA256),
            (f"gp{tag}e", SigningAlgorithm.ED25519_SHA256),
        )
    )
    return of_rsa, of_ed25519


def generate_dkim_key(
    account_id: AccountId,
    domain_name: str,
    selector: str,
    *,
    keyring: Keyring,
    created_at: datetime,
    algorithm: SigningAlgorithm = SigningAlgorithm.RSA_SHA256,
) -> DKIMKey:
    """Draw one key for a selector of a claim, ACTIVE; some 50 ms for RSA, in which other threads go on."""
    private_key: RSAPrivateKey | Ed25519PrivateKey
    if algorithm is SigningAlgorithm.RSA_SHA256:
        private_key = generate_private_key(65537, _RSA_BITS)
        public = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        private_key = Ed25519PrivateKey.generate()
        public = private_key.public_key().public_bytes_raw()
    return DKIMKey(
        selector=selector,
        algorithm=algorithm,
        sealed_private_key=keyring.seal(
            private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
            context=_context(account_id, domain_name, selector),
        ),
        public_key=b64encode(public).decode("ascii"),
        created_at=created_at,
    )


def hold_selector(selector: str, *, created_at: datetime) -> DKIMKey:
    """Return what stands on a selector that has no key yet: an RSA key that is EMPTIED already."""
    return DKIMKey(
        selector=selector,
        algorithm=SigningAlgorithm.RSA_SHA256,
        sealed_private_key=b"",
        public_key="",
        created_at=created_at,
        state=KeyState.EMPTIED,
    )


class SigningKeys:
    """Domains' keys, ready to sign; each is unsealed and loaded once (milliseconds for RSA) and then kept.

    Only keys with which the domain handed in signs are given out, so a key taken from the store is not used again.
    """

    def __init__(self, keyring: Keyring, *, max_keys: int = 10_000) -> None:
        """Keep at most ``max_keys`` loaded, some 10 KB each; the one loaded first goes first."""
        self._keyring = keyring
        self._max_keys = max_keys
        self._loaded: dict[tuple[AccountId, str, str, str], SigningKey] = {}

    def keys_for(self, domain: AuthenticatedDomain) -> tuple[SigningKey, ...]:
        """Return the keys with which the domain signs now, in the order it has them.

        Raises:
            Misconfigured: The keyring lacks the key that sealed one.
            Permanent: A sealed key was altered, moved, or is no key of its algorithm.
        """
        return tuple([self._key(domain, key) for key in domain.signing_keys])

    def _key(self, domain: AuthenticatedDomain, key: DKIMKey) -> SigningKey:
        # A selector gets another key in time: it alone does not say which key that is.
        place = (domain.account_id, domain.name, key.selector, key.public_key)
        loaded = self._loaded.get(place)
        if loaded is None:
            loaded = self._load(domain, key)
            if len(self._loaded) >= self._max_keys:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[place] = loaded
        return loaded

    def _load(self, domain: AuthenticatedDomain, key: DKIMKey) -> SigningKey:
        context = _context(domain.account_id, domain.name, key.selector)
        plain = self._keyring.unseal(key.sealed_private_key, context=context)
        try:
            private_key = load_der_private_key(plain, password=None)
        except ValueError:
            raise Permanent(f"the DKIM key of {context} is damaged") from None
        if isinstance(private_key, RSAPrivateKey | Ed25519PrivateKey) and isinstance(
            private_key, _PRIVATE_KEY_TYPES[key.algorithm]
        ):
            return SigningKey(
                domain=domain.name, selector=key.selector, algorithm=key.algorithm, private_key=private_key
            )
        raise Permanent(f"the DKIM key of {context} is not one for {key.algorithm.value}")


def _context(account_id: AccountId, domain_name: str, selector: str) -> str:
    return f"dkim/{account_id}/{domain_name}/{selector}"
