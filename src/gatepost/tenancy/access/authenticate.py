"""Reading what a client offers as its credential, before anything is looked up."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import KeyId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.principal import AccessDenial

USERNAME: Final = "apikey"
"""The one user name there is; who is meant is in the key."""

NO_HASH: Final = bytes(32)
"""What is compared in place of the hash of a key that does not exist: no secret is known to have it."""


@dataclass(frozen=True, slots=True)
class Refusal(Deny):
    """A credential refused.

    Attributes:
        delay: How long the reply is to be kept back before it is sent and the connection closed.
    """

    delay: timedelta = timedelta(0)


def read_credential(username: str, password: Secret[bytes]) -> tuple[KeyId, Secret[bytes]] | AccessDenial:
    """Return the key's id and what is to be hashed, or why this can be no key.

    Which reason is given depends on nothing but what the client itself sent, so it tells nothing about who exists:
    every user name other than ``apikey`` is treated alike, whether or not an account has it. With something else
    than a key for a password, that is somebody trying an account's password, and it is said that passwords are not
    taken here; with a key, the user name is what is wrong.
    """
    credential = api_key.parse(password.reveal())
    if username != USERNAME:
        return AccessDenial.PASSWORD_NOT_TAKEN if credential is None else AccessDenial.BAD_CREDENTIAL
    return credential or AccessDenial.BAD_CREDENTIAL
