"""PLAIN (RFC 4616): one message of authorization identity, user name and password with NULs between."""

from gatepost.primitives.secret import Secret
from gatepost.standards.sasl.mechanism import Challenge, Credential, IdentityRefused, MalformedResponse, read_username


class PlainExchange:
    """The server's side of PLAIN."""

    def respond(self, response: bytes | None) -> Challenge | Credential:
        """Read the message; without an initial response an empty challenge asks for it.

        Raises:
            MalformedResponse: It is not three parts with NULs between, or the user name is not UTF-8.
            IdentityRefused: The authorization identity is neither empty nor the user name: nobody acts for others.
        """
        if response is None:
            return Challenge(b"")
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise MalformedResponse("PLAIN is three parts with NULs between")
        identity, username, password = parts
        if identity not in (b"", username):
            raise IdentityRefused("the authorization identity is not the user name")
        return Credential(read_username(username), Secret(password))
