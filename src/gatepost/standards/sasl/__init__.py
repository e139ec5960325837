"""RFC 4422 mechanisms as exchanges of bytes; how they are framed (base64, 334) is the protocol's business.

Only mechanisms that hand over the secret itself are here, because an API key is stored as a hash; therefore none of
them is to be offered without TLS. Passwords are wrapped in ``Secret`` as soon as they are known to be such.
"""

from collections.abc import Callable, Mapping
from typing import Final

from gatepost.standards.sasl.login import LoginExchange
from gatepost.standards.sasl.mechanism import Challenge, Credential, Exchange, IdentityRefused, MalformedResponse
from gatepost.standards.sasl.plain import PlainExchange

MECHANISMS: Final[Mapping[str, Callable[[], Exchange]]] = {"PLAIN": PlainExchange, "LOGIN": LoginExchange}
"""Every mechanism by its registered name, the preferred one first."""

__all__ = [
    "MECHANISMS",
    "Challenge",
    "Credential",
    "Exchange",
    "IdentityRefused",
    "LoginExchange",
    "MalformedResponse",
    "PlainExchange",
]
