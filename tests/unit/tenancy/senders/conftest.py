"""A keyring, a resolver over a dictionary, and one domain with its keys."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatepost.primitives.errors import Permanent
from gatepost.primitives.ids import AccountId
from gatepost.standards.dns.question import Answer, AnswerStatus, Question
from gatepost.standards.dns.records import TXT
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.senders.dkim_key import generate_dkim_keys
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState

AT = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


class OneKeyKeyring:
    """Keeps the Keyring port's contract with a fixed key and nonces that are counted; counts what it unseals."""

    def __init__(self) -> None:
        self._sealer = AESGCM(bytes(32))
        self._sealed = 0
        self.unsealed = 0

    def seal(self, plain: bytes, *, context: str) -> bytes:
        self._sealed += 1
        nonce = self._sealed.to_bytes(12, "big")
        return nonce + self._sealer.encrypt(nonce, plain, context.encode())

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        self.unsealed += 1
        try:
            return self._sealer.decrypt(sealed[:12], sealed[12:], context.encode())
        except InvalidTag:
            raise Permanent(f"altered: {context}") from None


class ZoneResolver:
    """Keeps the Resolver port's contract: name → TXT values, or None for a question that fails."""

    def __init__(self, zone: Mapping[str, "tuple[str, ...] | None"]) -> None:
        self._zone = zone
        self.asked: list[Question] = []

    async def resolve(self, question: Question) -> Answer:
        self.asked.append(question)
        texts = self._zone.get(question.name, ())
        if texts is None:
            return Answer(status=AnswerStatus.FAILED, detail="timed out")
        records = tuple([TXT(text.encode()) for text in texts])
        return Answer(status=AnswerStatus.FOUND if records else AnswerStatus.NO_NAME, records=records)


@pytest.fixture(scope="session")
def make_resolver() -> type[ZoneResolver]:
    return ZoneResolver


@pytest.fixture(scope="session")
def sealing_keyring() -> OneKeyKeyring:
    return OneKeyKeyring()


@pytest.fixture
def keyring() -> OneKeyKeyring:
    """A keyring that has unsealed nothing yet."""
    return OneKeyKeyring()


@pytest.fixture(scope="session")
def domain(sealing_keyring: OneKeyKeyring) -> AuthenticatedDomain:
    account_id = AccountId("acc_a")
    return AuthenticatedDomain(
        name="mail.example.com",
        account_id=account_id,
        state=DomainState.PENDING,
        dkim_keys=generate_dkim_keys(
            account_id, "mail.example.com", keyring=sealing_keyring, entropy=SystemEntropy(), created_at=AT
        ),
        created_at=AT,
    )
