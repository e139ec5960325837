"""What a ClientSession tells its owner."""

from dataclasses import dataclass
from typing import TypeAlias

from gatepost.standards.smtp.transaction import SessionFailure, TransactionResult


@dataclass(frozen=True, slots=True)
class SessionReady:
    """EHLO or HELO was answered, or STARTTLS refused: ``start_tls``, ``begin`` or ``quit`` may be called."""


@dataclass(frozen=True, slots=True)
class TLSAgreed:
    """220 to STARTTLS: make the handshake, then call ``tls_established``."""


@dataclass(frozen=True, slots=True)
class ContentWanted:
    """354, and a recipient was accepted: call ``write_content`` for each piece, then ``end_content``."""


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """The transaction is over; the session is ready for another unless ``result.failure`` is set."""

    result: TransactionResult


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """The session is over: close the connection. Comes after the ``TransactionEnded`` of what was under way."""

    failure: SessionFailure


ClientEvent: TypeAlias = SessionReady | TLSAgreed | ContentWanted | TransactionEnded | SessionFailed
