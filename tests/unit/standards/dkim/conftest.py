"""Keys, a key zone, and a way to run an evaluator against it."""

from base64 import b64encode
from collections.abc import Callable, Generator, Mapping
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatepost.standards.dkim.sign import SigningAlgorithm, SigningKey
from gatepost.standards.dns.question import Answer, AnswerStatus, Question
from gatepost.standards.dns.records import TXT

R = TypeVar("R")
Zone = Mapping[str, "str | Answer | None"]


@pytest.fixture(scope="session")
def rsa_private_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def ed25519_private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="session")
def keys(rsa_private_key: RSAPrivateKey, ed25519_private_key: Ed25519PrivateKey) -> tuple[SigningKey, SigningKey]:
    """An RSA and an Ed25519 key of example.com, selectors r and e."""
    return (
        SigningKey(
            domain="example.com",
            selector="r",
            algorithm=SigningAlgorithm.RSA_SHA256,
            private_key=rsa_private_key,
        ),
        SigningKey(
            domain="example.com",
            selector="e",
            algorithm=SigningAlgorithm.ED25519_SHA256,
            private_key=ed25519_private_key,
        ),
    )


@pytest.fixture(scope="session")
def zone(rsa_private_key: RSAPrivateKey, ed25519_private_key: Ed25519PrivateKey) -> dict[str, str]:
    """The key records of ``keys``."""
    rsa = rsa_private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ed25519 = ed25519_private_key.public_key().public_bytes_raw()
    return {
        "r._domainkey.example.com": f"v=DKIM1; k=rsa; p={b64encode(rsa).decode()}",
        "e._domainkey.example.com": f"v=DKIM1; k=ed25519; p={b64encode(ed25519).decode()}",
    }


@pytest.fixture(scope="session")
def ask() -> Callable[[Generator[Question, Answer, R], Zone], R]:
    """Run a generator of questions, answering from name → TXT value, or an Answer as it is; None is NO_NAME."""

    def run(evaluation: Generator[Question, Answer, R], zone: Zone) -> R:
        try:
            question = next(evaluation)
            while True:
                held = zone.get(question.name)
                if isinstance(held, str):
                    held = Answer(status=AnswerStatus.FOUND, records=(TXT(held.encode()),))
                question = evaluation.send(held or Answer(status=AnswerStatus.NO_NAME))
        except StopIteration as stop:
            return stop.value

    return run
