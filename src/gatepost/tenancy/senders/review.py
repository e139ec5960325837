"""Names that could be taken for another's: held at the moment of their proof, until the operator has looked.

A claim that the DNS proves is not made VERIFIED if its name looks like one that another account has verified, or like
the operator's own; that would let its owner write in a name which readers take for the other. What the operator decides
stands for that account and that name, whatever becomes of the claim: a rejected name is not proved by adding it again.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gatepost.primitives.ids import AccountId


class ReviewState(Enum):
    """What has come of a review."""

    HELD = "held"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReview:
    """One account's claim to a name that looks like another.

    Attributes:
        looks_like: The other name; "" if the operator has decided without being asked.
        decided_at: When the operator did; None while it is HELD.
    """

    account_id: AccountId
    name: str
    looks_like: str
    state: ReviewState
    held_at: datetime
    decided_at: datetime | None = None
