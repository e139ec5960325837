"""What a peer offers in its answer to EHLO (RFC 5321 §4.1.1.1), as far as we use it."""

from dataclasses import dataclass

from gatepost.standards.smtp.replies import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerExtensions:
    """The service extensions of one peer in one session; all absent before EHLO and after a HELO.

    Attributes:
        max_size_octets: The largest message it takes (RFC 1870); None where it does not say.
    """

    pipelining: bool = False
    size: bool = False
    max_size_octets: int | None = None
    eight_bit_mime: bool = False
    smtputf8: bool = False
    starttls: bool = False
    enhanced_status_codes: bool = False


def parse_extensions(reply: Reply) -> PeerExtensions:
    """Read the extensions out of a positive reply to EHLO; what is unknown or misspelt is ignored."""
    parameters: dict[str, str] = {}
    for line in reply.text.split("\n")[1:]:
        keyword, _, rest = line.strip().partition(" ")
        parameters[keyword.upper()] = rest.strip()
    return PeerExtensions(
        pipelining="PIPELINING" in parameters,
        size="SIZE" in parameters,
        max_size_octets=_parse_size(parameters.get("SIZE", "")),
        eight_bit_mime="8BITMIME" in parameters,
        smtputf8="SMTPUTF8" in parameters,
        starttls="STARTTLS" in parameters,
        enhanced_status_codes="ENHANCEDSTATUSCODES" in parameters,
    )


def _parse_size(text: str) -> int | None:
    """0 means "no fixed limit" (RFC 1870 §4), as does a missing number."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        return None
    return int(text) or None
