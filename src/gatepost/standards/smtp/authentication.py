"""The AUTH command (RFC 4954 §4): base64 lines and cancellation around a SASL exchange."""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from gatepost.standards.sasl import MECHANISMS, Challenge, Credential, Exchange, IdentityRefused, MalformedResponse
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.events import CredentialOffered
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.status_codes import AUTH_CANCELLED, AUTH_IDENTITY, AUTH_SYNTAX, UNKNOWN_MECHANISM


class AuthenticationExchange:
    """From the AUTH command to a credential; used once."""

    def __init__(self, mechanism: str, exchange: Exchange) -> None:
        self._mechanism = mechanism
        self._exchange = exchange

    def respond(self, line: bytes | None) -> Reply | CredentialOffered:
        """Go on with a line of the client, or with None for an AUTH command without initial response.

        Returns:
            The 334 to send, or the credential that has been offered.

        Raises:
            ProtocolViolation: The exchange is over: cancelled, not base64, or not what the mechanism wants.
        """
        try:
            step = self._exchange.respond(None if line is None else _decode(line))
        except MalformedResponse:
            raise ProtocolViolation(AUTH_SYNTAX) from None
        except IdentityRefused:
            raise ProtocolViolation(AUTH_IDENTITY, closes=True) from None
        match step:
            case Challenge(octets):
                return Reply(334, "", b2a_base64(octets, newline=False).decode())
            case Credential(username, password):
                return CredentialOffered(self._mechanism, username, password)


def begin_authentication(argument: bytes) -> tuple[AuthenticationExchange, bytes | None]:
    """Read the argument of AUTH: the mechanism and, if given, the initial response (``=`` is an empty one).

    Raises:
        ProtocolViolation: 504 for a mechanism we do not have, 501 for anything else behind the initial response.
    """
    name, _, initial = argument.partition(b" ")
    mechanism = name.upper().decode("ascii", "replace")
    if mechanism not in MECHANISMS:
        raise ProtocolViolation(UNKNOWN_MECHANISM)
    exchange = AuthenticationExchange(mechanism, MECHANISMS[mechanism]())
    initial = initial.strip()
    if initial == b"=":
        return exchange, b""
    return exchange, initial or None


def _decode(line: bytes) -> bytes:
    line = line.strip(b" ")
    if line == b"*":
        raise ProtocolViolation(AUTH_CANCELLED)
    try:
        return a2b_base64(line, strict_mode=True)
    except Base64Error:
        raise ProtocolViolation(AUTH_SYNTAX) from None
