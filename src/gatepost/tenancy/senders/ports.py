"""What senders needs from the world."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from gatepost.primitives.ids import AccountId
from gatepost.standards.dns.question import Answer, Question
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainId, ZoneChange
from gatepost.tenancy.senders.review import DomainReview, ReviewState
from gatepost.tenancy.senders.single_sender import SenderDetails, SenderId, SingleSender


class Resolver(Protocol):
    """Asks the DNS."""

    async def resolve(self, question: Question) -> Answer:
        """Answer one question, CNAMEs followed, within the resolver's own deadline.

        Never raises for what the DNS does: a time-out, SERVFAIL or malformed answer is ``AnswerStatus.FAILED``.
        May answer from a cache that keeps to the records' TTLs.
        """
        ...


class VerifiedDomainSource(Protocol):
    """The one question the author rule asks; any DomainStore answers it."""

    def find_verified(self, name: str) -> AuthenticatedDomain | None:
        """Return the one VERIFIED claim to that exact name, whoever holds it. Fast: the hot path asks."""
        ...

    def find_default(self, account_id: AccountId) -> AuthenticatedDomain | None:
        """Return the VERIFIED claim that signs where no domain decides. Fast: the hot path asks.

        That is the account's own default one; else the default one of its parent, if that is assigned to it.
        """
        ...


class SingleSenderSource(Protocol):
    """The other question the author rule asks, where no domain decides; any SingleSenderStore answers it."""

    def is_verified(self, account_id: AccountId, address: str) -> bool:
        """Say whether the account has proved exactly that address. Fast: the hot path asks."""
        ...


class VerifiedNames(Protocol):
    """What a name that is about to be verified is compared with; for the look-alike check only."""

    def list_verified_names(self, except_of: AccountId) -> Sequence[str]:
        """Return every name that another account than this one has verified."""
        ...


class Keyring(Protocol):
    """Encrypts what must not be readable in the database."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt and authenticate ``plain``; the result can rest anywhere.

        ``context`` says whose and what it is (``dkim/acc_…/example.com/selector``); it is not stored, and the result
        can only be unsealed with the same, so that a sealed value moved to another row is worthless there.
        """
        ...

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Return what was sealed.

        Raises:
            Misconfigured: The key that sealed it is not in the keyring.
            Permanent: It was altered, or sealed in another context.
        """
        ...


class DomainStore(Protocol):
    """Authenticated domains at rest. Every call but ``find_verified`` and the two lists of all names its account.

    An account may have several claims to one name, which differ in their selectors and return paths.
    """

    def add(self, domain: AuthenticatedDomain) -> DomainId:
        """Store a new claim; durable on return. Its number is the store's to give.

        Raises ``DomainTaken`` if another claim of the account to that name has one of its selectors, or its return
        path. The default claim is the only one of its account.
        """
        ...

    def find(self, account_id: AccountId, name: str) -> AuthenticatedDomain | None:
        """Return the account's claim to that exact name: of several the default one, else the oldest."""
        ...

    def find_numbered(self, account_id: AccountId, number: DomainId) -> AuthenticatedDomain | None:
        """Return the account's claim of that number."""
        ...

    def list_all(self, account_id: AccountId) -> Sequence[AuthenticatedDomain]:
        """Return the account's claims, by name."""
        ...

    def list_kept(self, after: DomainId, limit: int) -> Sequence[AuthenticatedDomain]:
        """Return claims of all accounts that have to be kept up, by number from ``after`` on: for upkeep only.

        They are the VERIFIED ones, and those that were withdrawn because their records had gone.
        """
        ...

    def read_zone(self, since: int) -> ZoneChange | None:
        """Return what has changed in our own zone since a serial, 0 for all; None for nothing. For the zone only."""
        ...

    def note_zone_settings(self, settings_hash: str) -> None:
        """Count our own zone's serial up if it was last made with other settings, known by a hash; durable on return.

        It is the same for every process and machine with those settings.
        """
        ...

    def change(
        self,
        account_id: AccountId,
        number: DomainId,
        decide: Callable[[AuthenticatedDomain], AuthenticatedDomain],
    ) -> AuthenticatedDomain | None:
        """Replace a claim by what ``decide`` makes of the present one, keys and all; None if there is no such claim.

        Reading, deciding and writing are one transaction; durable on return. The account, the name, the state and the
        time of proof stay as they are, whatever ``decide`` says of them: ``mark_verified`` and ``withdraw`` move them.
        """
        ...

    def mark_verified(self, account_id: AccountId, number: DomainId, at: datetime) -> None:
        """Make the claim VERIFIED; durable on return. Raises ``DomainTaken`` if another account's claim to the name
        already is, ``LookupError`` if the account has no such claim."""
        ...

    def withdraw(self, account_id: AccountId, number: DomainId) -> None:
        """Make a VERIFIED claim PENDING again; durable on return. Its ``verified_at`` and its keys stay.

        From then on nobody may send as the name by this claim, and others may prove it unless the account has another
        verified claim to it. Nothing happens if there is no such claim.
        """
        ...

    def remove(self, account_id: AccountId, number: DomainId) -> bool:
        """Forget the claim and its keys; return whether there was one."""
        ...

    def find_verified(self, name: str) -> AuthenticatedDomain | None:
        """Return the VERIFIED claim to that exact name, whoever holds it: of several the default one, else the oldest.

        Fast: the hot path asks.
        """
        ...

    def find_default(self, account_id: AccountId) -> AuthenticatedDomain | None:
        """Return the VERIFIED claim that signs for the account where no domain decides; see VerifiedDomainSource."""
        ...

    def list_verified_below(self, name: str) -> Sequence[AuthenticatedDomain]:
        """Return the VERIFIED claims to names below a name, whoever holds them. For a right that ends or returns."""
        ...

    def list_verified_names(self, except_of: AccountId) -> Sequence[str]:
        """Return every name that another account than this one has verified. For the look-alike check only."""
        ...

    def assign(self, account_id: AccountId, name: str, subuser_id: AccountId) -> bool:
        """Let a subuser send as the account's domain; return whether the account has such a claim and such a subuser.

        Durable on return. Assigning twice changes nothing. It ends with ``unassign`` or with the claim.
        """
        ...

    def unassign(self, account_id: AccountId, name: str, subuser_id: AccountId) -> bool:
        """Take the domain from the subuser; return whether it had it. Durable on return."""
        ...

    def list_assigned(self, subuser_id: AccountId) -> Sequence[AuthenticatedDomain]:
        """Return the claims, verified or not, that the account's parent has assigned to it, by name."""
        ...


class ReviewStore(Protocol):
    """What the operator has to say of domains that look like others', at rest."""

    def find(self, account_id: AccountId, name: str) -> DomainReview | None:
        """Return what there is about the account's claim to that name."""
        ...

    def list_held(self) -> Sequence[DomainReview]:
        """Return all that wait for the operator, oldest first. For the operator only."""
        ...

    def hold(self, review: DomainReview) -> DomainReview:
        """Store one that is HELD, unless there is one already; return the one that stands. Durable on return."""
        ...

    def decide(self, account_id: AccountId, name: str, state: ReviewState, at: datetime) -> bool:
        """Approve or reject; return whether there was a review. Durable on return."""
        ...


class SingleSenderStore(Protocol):
    """Single senders at rest. Every call names its account."""

    def add(self, sender: SingleSender, token_hash: bytes) -> SenderId:
        """Store a new one with the hash of its token; durable on return. Its number is the store's to give.

        Raises ``SenderExists`` if the account has that address already.
        """
        ...

    def find(self, account_id: AccountId, number: SenderId) -> SingleSender | None:
        """Return the account's sender of that number."""
        ...

    def list_after(self, account_id: AccountId, after: SenderId, limit: int) -> Sequence[SingleSender]:
        """Return the account's senders, by number, from the one after that number on."""
        ...

    def count(self, account_id: AccountId) -> int:
        """Return how many the account has."""
        ...

    def describe(self, account_id: AccountId, number: SenderId, details: SenderDetails) -> bool:
        """Change what the sender says about itself; return whether there is one. No right depends on it."""
        ...

    def withdraw(self, account_id: AccountId, number: SenderId) -> None:
        """Make a VERIFIED sender PENDING, and its token worthless; durable on return. ``verified_at`` stays."""
        ...

    def move(
        self, account_id: AccountId, number: SenderId, address: str, token_hash: bytes, token_expires_at: datetime
    ) -> bool:
        """Give the sender another address, PENDING, with a new token; return whether there is one.

        Durable on return. Raises ``SenderExists``.
        """
        ...

    def renew(self, account_id: AccountId, number: SenderId, token_hash: bytes, token_expires_at: datetime) -> bool:
        """Replace the token of a PENDING sender; return whether there is one. Durable on return."""
        ...

    def prove(self, account_id: AccountId, token_hash: bytes, now: datetime) -> SingleSender | None:
        """Burn the token and make its sender VERIFIED, in one statement: of several that try, one gets it.

        None if there is no such token, or it has ended. Durable on return.
        """
        ...

    def remove(self, account_id: AccountId, number: SenderId) -> bool:
        """Forget the sender; return whether there was one."""
        ...

    def is_verified(self, account_id: AccountId, address: str) -> bool:
        """Say whether the account has proved exactly that address. Fast: the hot path asks."""
        ...
