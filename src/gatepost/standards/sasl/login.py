"""LOGIN: never standardised (draft-murchison-sasl-login-00), still what many clients try first."""

from typing import Final

from gatepost.primitives.secret import Secret
from gatepost.standards.sasl.mechanism import Challenge, Credential, MalformedResponse, read_username

USERNAME_CHALLENGE: Final = Challenge(b"Username:")
PASSWORD_CHALLENGE: Final = Challenge(b"Password:")


class LoginExchange:
    """The server's side of LOGIN; the user name may come as initial response."""

    def __init__(self) -> None:
        self._username: str | None = None

    def respond(self, response: bytes | None) -> Challenge | Credential:
        """Take the user name, then the password.

        Raises:
            MalformedResponse: The user name is not UTF-8, or there is a NUL in it or in the password.
        """
        if response is None:
            return USERNAME_CHALLENGE
        if self._username is None:
            self._username = read_username(response)
            return PASSWORD_CHALLENGE
        if b"\0" in response:
            raise MalformedResponse("a NUL in the password")
        return Credential(self._username, Secret(response))
