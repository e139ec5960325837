import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gatepost.primitives.errors import Permanent
from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim import VerificationStatus, relaxed_body_hash, sign, verify
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.standards.message.header import HeaderField, HeaderSection
from gatepost.tenancy.senders.dkim_key import SigningKeys, generate_dkim_keys
from gatepost.tenancy.senders.dns_check import answer_from
from gatepost.tenancy.senders.dns_plan import Relay, plan_records

AT = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


class CountingEntropy:
    """Gives 0, 1, 2 …: what is drawn from it can be told from what is not."""

    def __init__(self) -> None:
        self._drawn = 0

    def draw(self, size: int) -> bytes:
        self._drawn += 1
        return bytes([self._drawn] * size)


def test_an_rsa_and_an_ed25519_key_are_drawn_with_selectors_from_entropy(keyring):
    entropy = CountingEntropy()

    first = generate_dkim_keys(AccountId("acc_a"), "example.com", keyring=keyring, entropy=entropy, created_at=AT)
    second = generate_dkim_keys(AccountId("acc_b"), "example.com", keyring=keyring, entropy=entropy, created_at=AT)

    assert [key.algorithm for key in first] == [SigningAlgorithm.RSA_SHA256, SigningAlgorithm.ED25519_SHA256]
    assert [key.selector for key in first] == ["gpaeaqcar", "gpaeaqcae"]
    assert all(re.fullmatch(r"gp[a-z2-7]{6}[re]", key.selector) for key in second)
    assert len({key.selector for key in (*first, *second)}) == 4
    assert len({key.public_key for key in (*first, *second)}) == 4


def test_private_keys_rest_sealed(domain, sealing_keyring):
    key = domain.dkim_keys[0]
    plain = sealing_keyring.unseal(key.sealed_private_key, context=f"dkim/acc_a/mail.example.com/{key.selector}")

    assert plain[:1] == b"\x30", "PKCS #8 is a DER sequence"
    assert plain not in key.sealed_private_key


async def test_what_is_signed_with_the_keys_passes_with_the_planned_records(domain, keyring, make_resolver):
    keys = SigningKeys(keyring).keys_for(domain)
    section = HeaderSection((HeaderField(b"from", b"From: a@mail.example.com\r\n"),))
    plan = plan_records(domain, Relay(host_name="relay.example.net"))
    resolver = make_resolver({record.name: (record.value,) for record in plan})

    signatures = sign(section, relaxed_body_hash(b""), keys, signed_at=AT, expires_at=AT + timedelta(days=7))
    results = await answer_from(resolver, verify(signatures + section.octets + b"\r\n", at=AT))

    assert [result.status for result in results] == [VerificationStatus.PASS, VerificationStatus.PASS]
    assert [result.key_bits for result in results] == [2048, 256]


def test_keys_are_unsealed_once(domain, keyring):
    signing_keys = SigningKeys(keyring)

    first, second = signing_keys.keys_for(domain), signing_keys.keys_for(domain)

    assert keyring.unsealed == 2
    assert first == second
    assert isinstance(first[0].private_key, RSAPrivateKey)
    assert isinstance(first[1].private_key, Ed25519PrivateKey)


def test_no_more_keys_are_kept_than_allowed(domain, keyring):
    signing_keys = SigningKeys(keyring, max_keys=1)

    signing_keys.keys_for(domain)
    signing_keys.keys_for(domain)

    assert keyring.unsealed == 4


def test_a_key_the_domain_no_longer_has_is_not_given_out(domain, keyring):
    signing_keys = SigningKeys(keyring)
    signing_keys.keys_for(domain)

    remaining = signing_keys.keys_for(replace(domain, dkim_keys=domain.dkim_keys[1:]))

    assert [key.selector for key in remaining] == [domain.dkim_keys[1].selector]


def test_a_key_sealed_for_one_account_does_not_open_for_another(domain, keyring):
    signing_keys = SigningKeys(keyring)
    signing_keys.keys_for(domain)

    with pytest.raises(Permanent):
        signing_keys.keys_for(replace(domain, account_id=AccountId("acc_b")))


@pytest.mark.parametrize("kind", ["garbage", "another algorithm", "another kind"])
def test_what_is_no_key_of_its_algorithm_is_refused_without_showing_it(domain, keyring, kind):
    key = domain.dkim_keys[0]
    plain = {
        "garbage": b"garbage",
        "another algorithm": Ed25519PrivateKey.generate().private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
        ),
        "another kind": ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
        ),
    }[kind]
    sealed = keyring.seal(plain, context=f"dkim/acc_a/mail.example.com/{key.selector}")

    with pytest.raises(Permanent, match=key.selector) as caught:
        SigningKeys(keyring).keys_for(replace(domain, dkim_keys=(replace(key, sealed_private_key=sealed),)))

    assert "garbage" not in str(caught.value)
