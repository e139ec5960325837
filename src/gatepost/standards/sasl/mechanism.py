"""The shape of a SASL exchange on the server's side (RFC 4422 §3): responses in, a challenge or a credential out."""

from dataclasses import dataclass
from typing import Protocol

from gatepost.primitives.secret import Secret


class MalformedResponse(ValueError):
    """A response does not follow its mechanism's grammar. The text never holds any of it."""


class IdentityRefused(ValueError):
    """The client asked to act as somebody other than who it proves to be."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What to send to the client, before any encoding."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Credential:
    """What the client offers as proof; nobody has checked it yet."""

    username: str
    password: Secret[bytes]


class Exchange(Protocol):
    """One authentication exchange; used once."""

    def respond(self, response: bytes | None) -> Challenge | Credential:
        """Go on by one step.

        Args:
            response: What the client sent, decoded; None only at the first step, if it sent no initial response.

        Raises:
            MalformedResponse: The exchange is over; the client may begin another.
            IdentityRefused: The same.
        """
        ...


def read_username(octets: bytes) -> str:
    """Read a user name: UTF-8 without NUL (RFC 4616 §2).

    Raises:
        MalformedResponse: It is not.

    Deviation: SASLprep (RFC 4013) is not applied: user names and keys are compared exactly, and ours are ASCII.
    """
    if b"\0" in octets:
        raise MalformedResponse("a NUL in the user name")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedResponse("the user name is not UTF-8") from None
