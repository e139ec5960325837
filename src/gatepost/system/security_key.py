"""WebAuthn ceremonies (Level 3), by the ``webauthn`` package.

No attestation is asked for: whose authenticator it is decides nothing here. The user must have been verified, by a PIN
or a finger, so that a found key is not a factor.

The package is imported with the first ceremony: with its attestation formats it takes long to load, and most workers
never hold one.
"""

from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from gatepost.primitives.ids import base64url
from gatepost.tenancy.accounts.person_ports import NewPasskey
from gatepost.tenancy.accounts.teammate import Teammate
from gatepost.tenancy.accounts.two_factor import Passkey

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

#: What a hostile or broken credential may make the package raise beside its own errors.
_MALFORMED: Final = (ValueError, TypeError, KeyError, AttributeError, IndexError)


class _Credential(msgspec.Struct):
    id: str


class WebAuthnKeys:
    """Implements SecurityKeys for one relying party.

    Args:
        host_name: The relying party's id: browsers let a page on that host, or below it, use its passkeys.
        origins: Where such pages are, ``https://mail.example.com:8443``.
    """

    def __init__(self, host_name: str, origins: Sequence[str]) -> None:
        self._rp_id: Final = host_name
        self._origins: Final = list(origins)

    def registration_options(self, person: Teammate, challenge: bytes, known: Sequence[Passkey]) -> bytes:
        """Return what a browser needs to make a passkey."""
        from webauthn import generate_registration_options, options_to_json
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name="Gatepost",
            user_name=person.username,
            user_id=person.id.encode(),
            user_display_name=f"{person.first_name} {person.last_name}".strip() or person.username,
            challenge=challenge,
            exclude_credentials=_descriptors(known),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
        )
        return options_to_json(options).encode()

    def verify_registration(self, credential: bytes, challenge: bytes) -> NewPasskey | None:
        """Return what was made; None if it does not answer the challenge, or the user was not verified."""
        from webauthn import verify_registration_response
        from webauthn.helpers.exceptions import WebAuthnException

        try:
            verified = verify_registration_response(
                credential=credential.decode(),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                require_user_verification=True,
            )
        except (WebAuthnException, *_MALFORMED):
            return None
        return NewPasskey(
            id=base64url(verified.credential_id),
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
        )

    def assertion_options(self, challenge: bytes, known: Sequence[Passkey]) -> bytes:
        """Return what a browser needs to use one."""
        from webauthn import generate_authentication_options, options_to_json
        from webauthn.helpers.structs import UserVerificationRequirement

        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options).encode()

    def find_credential_id(self, credential: bytes) -> str | None:
        """Return which passkey an assertion claims to be of."""
        try:
            return msgspec.json.decode(credential, type=_Credential).id.rstrip("=")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def verify_assertion(self, credential: bytes, challenge: bytes, passkey: Passkey) -> int | None:
        """Return the new counter; None if it is wrong, the user was not verified, or the counter went back."""
        from webauthn import verify_authentication_response
        from webauthn.helpers.exceptions import WebAuthnException

        try:
            verified = verify_authentication_response(
                credential=credential.decode(),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, *_MALFORMED):
            return None
        return verified.new_sign_count


def _descriptors(known: Sequence[Passkey]) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return [PublicKeyCredentialDescriptor(id=_octets(each.id)) for each in known]


def _octets(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except Base64Error as error:
        raise ValueError("not base64url") from error
