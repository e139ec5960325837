"""What a listener is and how far one of its sessions may go."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The settings of a ServerSession.

    Attributes:
        host_name: Ours, for the greeting and EHLO.
        max_size_octets: The largest content; given at EHLO as SIZE.
        max_recipients: In one transaction; more get 452.
        max_messages: Accepted in one session; then 421.
        max_errors: Commands and messages refused for good (5xx) since the last accepted message; then 421.
        offers_starttls: Whether there is a certificate to begin TLS with.
        takes_undeclared_8bit: Whether content of 8 bits is taken where MAIL said nothing of BODY. ``Deviation:``
            RFC 6152 §3 asks for BODY=8BITMIME, which common clients leave out. Content said to be 7BIT must be.
        takes_auth: Whether clients must authenticate before they send; False for a receiving MX, which has no AUTH.
    """

    host_name: str
    max_size_octets: int = 31_457_280
    max_recipients: int = 1000
    max_messages: int = 5000
    max_errors: int = 20
    offers_starttls: bool = True
    takes_auth: bool = True
    takes_undeclared_8bit: bool = True
