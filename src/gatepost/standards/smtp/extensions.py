"""EHLO keywords: what is offered, in the dialect's order with two of ours (RFC 5321 §4.1.1.1)."""

from gatepost.standards.sasl import MECHANISMS
from gatepost.standards.smtp.replies import Reply


def ehlo_reply(host_name: str, *, max_size_octets: int, offers_starttls: bool, offers_auth: bool) -> Reply:
    """Build the reply to EHLO.

    Args:
        host_name: Ours.
        max_size_octets: For SIZE (RFC 1870).
        offers_starttls: Whether STARTTLS would be obeyed now (RFC 3207).
        offers_auth: Whether AUTH would be obeyed now (RFC 4954). The line ``AUTH=`` repeats it for clients that
            read a draft of 1999; the dialect has it, so do we.
    """
    lines = [
        host_name,
        "8BITMIME",  # RFC 6152
        "PIPELINING",  # RFC 2920
        f"SIZE {max_size_octets}",
        "SMTPUTF8",  # RFC 6531
        "ENHANCEDSTATUSCODES",  # RFC 2034
    ]
    if offers_starttls:
        lines.append("STARTTLS")
    if offers_auth:
        mechanisms = " ".join(MECHANISMS)
        lines += [f"AUTH {mechanisms}", f"AUTH={mechanisms}"]
    return Reply(250, "", "\n".join(lines))


def helo_reply(host_name: str) -> Reply:
    """Build the reply to HELO, which offers nothing (RFC 5321 §4.1.1.1)."""
    return Reply(250, "", host_name)
