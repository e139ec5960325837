"""What a message needs of a peer, and what becomes of it where the peer lacks that (RFC 6152 §3, RFC 6531 §3.2). Pure.

Domains are A-labels already, so only local-parts and header fields ever need SMTPUTF8.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gatepost.mailflow.delivery.outcome import Outcome, Verdict
from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.peer_extensions import PeerExtensions

NO_SMTPUTF8 = Outcome(
    verdict=Verdict.BOUNCED, reason="5.6.7 the receiving host does not take internationalised mail (SMTPUTF8)"
)
NO_8BITMIME = Outcome(
    verdict=Verdict.BOUNCED, reason="5.6.3 the receiving host takes 7 bits only, and the message cannot be converted"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one message needs for one set of recipients."""

    smtputf8: bool
    eight_bit_mime: bool


def find_needs(*, has_utf8_header: bool, has_8bit_body: bool, paths: Sequence[Mailbox]) -> Needs:
    """Say what a copy needs when sent with these reverse- and forward-paths."""
    return Needs(
        smtputf8=has_utf8_header or any(path.needs_smtputf8 for path in paths),
        eight_bit_mime=has_utf8_header or has_8bit_body,
    )


def find_unservable(
    recipients: Sequence[Mailbox], *, reverse_path: Mailbox | None, has_utf8_header: bool, peer: PeerExtensions
) -> list[bool]:
    """Tell for each recipient whether the peer cannot take the message for it, for lack of SMTPUTF8."""
    if peer.smtputf8:
        return [False] * len(recipients)
    if has_utf8_header or (reverse_path is not None and reverse_path.needs_smtputf8):
        return [True] * len(recipients)
    return [recipient.needs_smtputf8 for recipient in recipients]
