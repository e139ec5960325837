"""What delivery needs from the world, beside the Queue and the Resolver."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from gatepost.mailflow.delivery.route import NextHop
from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningKey, UnsignedField
from gatepost.standards.message.header import HeaderSection
from gatepost.standards.smtp.peer_extensions import PeerExtensions
from gatepost.standards.smtp.transaction import SessionFailure, Transaction, TransactionResult


class ConnectFailed(Exception):
    """A session did not get as far as a transaction; ``failure`` says at which stage and why."""

    def __init__(self, failure: SessionFailure) -> None:
        super().__init__(f"{failure.kind.value} at {failure.stage.value}")
        self.failure = failure


class Connection(Protocol):
    """An open session with one peer; one transaction at a time."""

    @property
    def extensions(self) -> PeerExtensions:
        """What the peer offered."""
        ...

    @property
    def tls(self) -> str:
        """Protocol and cipher, "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" in the clear."""
        ...

    @property
    def is_usable(self) -> bool:
        """Whether another transaction may be sent. Turns false by itself when the peer closes."""
        ...

    @property
    def transactions(self) -> int:
        """How many have been sent."""
        ...

    async def send(self, transaction: Transaction, content: Iterator[bytes]) -> TransactionResult:
        """Carry out one transaction, each step within its deadline; never raises for what the peer does.

        ``content`` is read only after a 354. If the caller is cancelled the connection is cut.
        """
        ...

    def close(self) -> None:
        """Say QUIT if that is possible, and close soon; returns at once."""
        ...


class Connector(Protocol):
    """Opens sessions."""

    async def connect(self, hop: NextHop) -> Connection:
        """Connect, wait for the greeting, say EHLO, make TLS as ``hop.tls`` demands; each within its deadline.

        Raises:
            ConnectFailed: It did not come to that; nothing is left open.
        """
        ...


class SigningKeys(Protocol):
    """The keys that sign for an author's domain."""

    def find_signing_keys(self, account_id: AccountId, author_domain: str) -> Sequence[SigningKey]:
        """Return the keys current now, ready for use; empty where the account no longer has such a domain. Fast."""
        ...


class PrepareSignatures(Protocol):
    """``standards.dkim.sign.prepare``."""

    def __call__(
        self,
        section: HeaderSection,
        body_hash: bytes,
        keys: Sequence[SigningKey],
        *,
        signed_at: datetime,
        expires_at: datetime,
    ) -> Sequence[UnsignedField]:
        """Return the fields to put in front of the section, but for their signatures."""
        ...


class Signer(Protocol):
    """Does the private-key operation of signatures, the largest part of what a message costs."""

    async def sign(self, fields: Sequence[UnsignedField]) -> Sequence[bytes]:
        """Return a good signature of each field's digest by its key, in their order.

        It may wait a turn of the event loop for others, to do several at once.
        """
        ...


class HashBody(Protocol):
    """The body hash of DKIM over a body that comes in pieces."""

    def __call__(self, pieces: Iterable[bytes]) -> bytes:
        """Return the hash under the canonical form that the signer names."""
        ...
