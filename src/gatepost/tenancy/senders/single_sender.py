"""A single sender: one address, of which an account has proved that it reads its mail.

The proof is a token, sent to the address through our own door: 256 bits, at rest only as a keyed hash, good once, for
48 hours, and worth nothing without the account's own credential. It opens nothing but exactly that address, and that
only while nobody has verified a domain that covers it (``alignment``).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NewType

from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox, parse_mailbox

TOKEN_LIFE: Final = timedelta(hours=48)
MAX_SENDERS: Final = 100
"""How many an account has at most: whoever needs more authenticates a domain."""

SenderId = NewType("SenderId", int)
"""A single sender, by the number that the store gave it; never given to another one."""

UNNUMBERED: Final = SenderId(0)
"""What a sender has before it is stored."""


class SenderState(Enum):
    """Where a single sender stands."""

    #: Its address has not been proved, or not since it was changed.
    PENDING = "pending"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderDetails:
    """What a sender says about itself. Nothing is decided by it."""

    nickname: str
    from_name: str = ""
    reply_to: str
    reply_to_name: str = ""
    address: str = ""
    address2: str = ""
    state: str = ""
    city: str = ""
    zip: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleSender:
    """One address of one account.

    Attributes:
        email: The address, as ``str(Mailbox)`` writes it: compared exactly.
        verified_at: When it was proved; stays when the sender is withdrawn, so that what depends on it can be ended.
        token_expires_at: When the token that was sent last ends; None if there is none.
    """

    id: SenderId = UNNUMBERED
    account_id: AccountId
    email: str
    details: SenderDetails
    state: SenderState = SenderState.PENDING
    created_at: datetime
    verified_at: datetime | None = None
    token_expires_at: datetime | None = None

    @property
    def mailbox(self) -> Mailbox:
        """The address, parsed."""
        return parse_mailbox(self.email.encode(), allow_utf8=True)


class SenderExists(Exception):
    """The account has that address already."""
