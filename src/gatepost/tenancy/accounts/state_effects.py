"""What follows from an account's effective state: one table, which every way in goes by."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gatepost.tenancy.accounts.account import AccountState


class Sending(Enum):
    """What becomes of mail that is submitted."""

    TAKEN = "taken"
    #: Refused for now: a mail server keeps it, and comes again.
    DEFERRED = "deferred"
    #: Refused for good.
    REFUSED = "refused"


class QueuedMail(Enum):
    """What becomes of mail that is queued already. Nothing is ever dropped because of a state."""

    DELIVERED = "delivered"
    #: Until an operator releases or removes it, also when the state has become better meanwhile.
    HELD = "held"


class Entry(Enum):
    """How far somebody gets who is not sending mail."""

    ALL = "all"
    #: May look, and change nothing.
    READ = "read"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEffects:
    """What one state means.

    Attributes:
        keys: What API keys may do beside sending.
        people: What its people may do once they have signed in; NOTHING: they cannot sign in.
    """

    sending: Sending
    queued: QueuedMail
    keys: Entry
    people: Entry


EFFECTS: Final[Mapping[AccountState, StateEffects]] = {
    AccountState.ACTIVE: StateEffects(
        sending=Sending.TAKEN, queued=QueuedMail.DELIVERED, keys=Entry.ALL, people=Entry.ALL
    ),
    # Whoever is looked into must be able to help: revoke a stolen key, mend a list of networks.
    AccountState.UNDER_REVIEW: StateEffects(
        sending=Sending.DEFERRED, queued=QueuedMail.HELD, keys=Entry.ALL, people=Entry.ALL
    ),
    AccountState.SUSPENDED: StateEffects(
        sending=Sending.REFUSED, queued=QueuedMail.HELD, keys=Entry.NOTHING, people=Entry.READ
    ),
    AccountState.CLOSED: StateEffects(
        sending=Sending.REFUSED, queued=QueuedMail.HELD, keys=Entry.NOTHING, people=Entry.NOTHING
    ),
}
