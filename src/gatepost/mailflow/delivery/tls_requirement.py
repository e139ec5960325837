"""What TLS a next hop must show before it gets mail."""

from enum import Enum

from gatepost.standards.smtp.transaction import FailureKind, SessionFailure


class TLSRequirement(Enum):
    """From nothing to everything."""

    #: In the clear, even if TLS is offered: only after a handshake failed under OPPORTUNISTIC.
    NONE = "none"
    #: TLS where the peer offers it, whatever certificate it has (RFC 7435): it stops those who only listen.
    OPPORTUNISTIC = "opportunistic"
    #: TLS, whatever certificate the peer has; else no mail.
    ENCRYPTED = "encrypted"
    #: TLS with a certificate for the host's name that a trusted authority issued; else no mail.
    VERIFIED = "verified"


def decide_fallback(requirement: TLSRequirement, failure: SessionFailure) -> TLSRequirement | None:
    """Return under what requirement the same host is to be tried again, on a new connection; None for not at all.

    A broken TLS set-up at the peer must not keep mail from it that would have gone in the clear had TLS not been
    offered at all.
    """
    if requirement is TLSRequirement.OPPORTUNISTIC and failure.kind is FailureKind.TLS:
        return TLSRequirement.NONE
    return None
