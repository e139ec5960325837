"""What a person holds: an authenticator application, and a passkey as a browser shows it."""

import json
from base64 import b32decode, urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from gatepost.standards.totp import hotp, step_at


def totp_code(secret: str, now: datetime, *, steps_away: int = 0) -> str:
    """The code that an application shows for a base32 secret."""
    return hotp(b32decode(secret + "=" * (-len(secret) % 8)), step_at(now) + steps_away)


class SoftwarePasskey:
    """An authenticator with one credential (WebAuthn Level 3 §6), which verifies its user unless told otherwise."""

    def __init__(self, origin: str = "https://relay.test", *, verifies_user: bool = True) -> None:
        self.origin = origin
        self.flags = 0x01 | (0x04 if verifies_user else 0)
        self.count = 0
        self.id = b"\x07" * 16
        self.key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer ``navigator.credentials.create``, as ``toJSON`` writes it."""
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        data = self._data(options["rp"]["id"], self.flags | 0x40) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"])
        return self._credential({"clientDataJSON": _encode(client), "attestationObject": _encode(attestation)})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer ``navigator.credentials.get``."""
        self.count += 1
        data = self._data(options["rpId"], self.flags)
        client = self._client("webauthn.get", options["challenge"])
        digest = hashes.Hash(hashes.SHA256())
        digest.update(client)
        signature = self.key.sign(data + digest.finalize(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            {"clientDataJSON": _encode(client), "authenticatorData": _encode(data), "signature": _encode(signature)}
        )

    def _data(self, rp_id: str, flags: int) -> bytes:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(rp_id.encode())
        return digest.finalize() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        assert urlsafe_b64decode(challenge + "==")
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        return {"id": _encode(self.id), "rawId": _encode(self.id), "type": "public-key", "response": response}


def _encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
