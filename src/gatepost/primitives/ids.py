"""Identifiers: typed, printable, and safe in a file name, a URL and a log line."""

from base64 import urlsafe_b64encode
from datetime import datetime
from typing import NewType

from gatepost.primitives.entropy import Entropy

AccountId = NewType("AccountId", str)
"""A tenant: ``acc_`` and 16 base64url characters."""

KeyId = NewType("KeyId", str)
"""The public half of an API key: 22 base64url characters, the part between the two dots."""

TeammateId = NewType("TeammateId", str)
"""A person in an account: ``per_`` and 16 base64url characters."""

SessionId = NewType("SessionId", str)
"""A person's console session, as lists name it: ``ses_`` and 16 base64url characters. It opens nothing."""

InvitationId = NewType("InvitationId", str)
"""An invitation, as lists name it: ``inv_`` and 16 base64url characters. It opens nothing."""

MessageId = NewType("MessageId", str)
"""A message we answered for: 22 base64url characters; what ``250 … queued as`` names. Sorts by time of birth
only as bytes, not as text."""


def new_account_id(entropy: Entropy) -> AccountId:
    """Draw the id of a new account."""
    return AccountId("acc_" + base64url(entropy.draw(12)))


def new_key_id(entropy: Entropy) -> KeyId:
    """Draw the id of a new API key: 16 random bytes as 22 characters."""
    return KeyId(base64url(entropy.draw(16)))


def new_teammate_id(entropy: Entropy) -> TeammateId:
    """Draw the id of a new person."""
    return TeammateId("per_" + base64url(entropy.draw(12)))


def new_session_id(entropy: Entropy) -> SessionId:
    """Draw the id of a new session."""
    return SessionId("ses_" + base64url(entropy.draw(12)))


def new_invitation_id(entropy: Entropy) -> InvitationId:
    """Draw the id of a new invitation."""
    return InvitationId("inv_" + base64url(entropy.draw(12)))


def new_message_id(now: datetime, entropy: Entropy) -> MessageId:
    """Draw a message id: 6 bytes of Unix milliseconds, then 10 random bytes, as 22 characters.

    The time in front keeps rows of one minute side by side on disk; 80 random bits keep ids unguessable.
    """
    milliseconds = int(now.timestamp() * 1000)
    return MessageId(base64url(milliseconds.to_bytes(6, "big") + entropy.draw(10)))


def base64url(octets: bytes) -> str:
    """Encode as unpadded base64url (RFC 4648 §5)."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
