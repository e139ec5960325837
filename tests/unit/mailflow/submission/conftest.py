"""Who sends what in these tests: account ``acc_ours`` owns example.com, another tenant owns victim.example."""

from datetime import UTC, datetime

import pytest

from gatepost.primitives.ids import AccountId, KeyId
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

OURS, THEIRS = AccountId("acc_ours"), AccountId("acc_theirs")
HOLDERS = {
    "example.com": OURS,
    "xn--bcher-kva.example": OURS,
    "victim.example": THEIRS,
    "lent.example.com": THEIRS,
}


class Claims:
    """Verified names and their holders; what a DomainStore knows of them."""

    def find_verified(self, name):
        if name not in HOLDERS:
            return None
        return AuthenticatedDomain(
            name=name,
            account_id=HOLDERS[name],
            state=DomainState.VERIFIED,
            dkim_keys=(),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )


@pytest.fixture(scope="session")
def domains():
    return VerifiedDomains(Claims(), PublicSuffixes())


@pytest.fixture
def principal():
    return Principal(
        account_id=OURS,
        account_state=AccountState.ACTIVE,
        key_id=KeyId("k" * 22),
        scopes=frozenset({"mail.send"}),
    )
