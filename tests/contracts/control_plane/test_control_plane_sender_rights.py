"""What an account has lost or has back of a name, and which domain signs by default, on the real control plane."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainId, DomainState
from gatepost.tenancy.senders.public_suffix import PublicSuffixes
from gatepost.tenancy.senders.sender_names import SenderNames
from gatepost.tenancy.senders.sender_rights import SenderRights
from gatepost.tenancy.senders.single_sender import SenderDetails, SingleSender


@pytest.fixture
def rival(control_plane: ControlPlane, account: Account) -> Account:
    return lifecycle.create(
        control_plane.accounts, "rival", now=control_plane.clock.now(), entropy=control_plane.entropy
    )


@pytest.fixture
def subuser(control_plane: ControlPlane, account: Account) -> Account:
    return lifecycle.create(
        control_plane.accounts,
        "news",
        now=control_plane.clock.now(),
        entropy=control_plane.entropy,
        parent=account,
        email="news@acme.example",
        addresses=("198.51.100.7",),
    )


@pytest.fixture
def rights(control_plane: ControlPlane) -> SenderRights:
    return SenderRights(
        domains=control_plane.domains,
        senders=control_plane.senders,
        verified=VerifiedDomains(control_plane.domains, PublicSuffixes(), control_plane.senders),
    )


def claim(plane: ControlPlane, holder: Account, name: str, *, is_default: bool = False) -> DomainId:
    """Give an account a verified domain."""
    at = plane.clock.now()
    number = plane.domains.add(
        AuthenticatedDomain(
            name=name, account_id=holder.id, state=DomainState.PENDING, dkim_keys=(), created_at=at,
            is_default=is_default,
        )
    )  # fmt: skip
    plane.domains.mark_verified(holder.id, number, at)
    return number


def prove(plane: ControlPlane, holder: Account, address: str) -> None:
    """Give an account a verified single sender."""
    at = plane.clock.now()
    token = address.encode().ljust(32, b".")
    plane.senders.add(
        SingleSender(
            account_id=holder.id, email=address, details=SenderDetails(nickname="x", reply_to=address), created_at=at,
            token_expires_at=at + timedelta(hours=1),
        ),
        token,
    )  # fmt: skip
    assert plane.senders.prove(holder.id, token, at)


def lost(name: str, *excluded: str) -> SenderNames:
    return SenderNames(name=name, excluded=frozenset(excluded))


def back(name: str, *excluded: str) -> SenderNames:
    return replace(lost(name, *excluded), all_of_them=True)


class TestLost:
    def test_a_domain_and_all_below_it(self, rights: SenderRights, account: Account) -> None:
        assert rights.find_lost(account.id, "example.com") == lost("example.com")

    def test_but_what_is_verified_below_it_and_what_was_proved_by_itself(
        self, control_plane: ControlPlane, rights: SenderRights, account: Account, rival: Account
    ) -> None:
        claim(control_plane, account, "own.example.com")
        claim(control_plane, account, "xexample.com")
        claim(control_plane, rival, "theirs.example.com")
        prove(control_plane, account, "ann@example.com")
        prove(control_plane, account, "ann@theirs.example.com")

        assert rights.find_lost(account.id, "example.com") == lost("example.com", "own.example.com", "ann@example.com")

    @pytest.mark.parametrize("left", ["example.com", "news.example.com"], ids=["another claim", "a domain above"])
    def test_nothing_where_something_else_gives_the_right(
        self, control_plane: ControlPlane, rights: SenderRights, account: Account, left: str
    ) -> None:
        claim(control_plane, account, "example.com")

        assert rights.find_lost(account.id, left) is None

    def test_everything_where_another_account_has_it_now(
        self, control_plane: ControlPlane, rights: SenderRights, account: Account, rival: Account
    ) -> None:
        claim(control_plane, rival, "example.com")
        prove(control_plane, account, "ann@example.com")

        assert rights.find_lost(account.id, "example.com") == lost("example.com")
        assert rights.find_lost(account.id, "news.example.com") == lost("news.example.com")

    def test_a_subuser_keeps_what_is_assigned_to_it(
        self, control_plane: ControlPlane, rights: SenderRights, account: Account, subuser: Account
    ) -> None:
        claim(control_plane, account, "example.com")
        claim(control_plane, account, "news.example.com")
        control_plane.domains.assign(account.id, "news.example.com", subuser.id)

        assert rights.find_lost(subuser.id, "example.com") == lost("example.com", "news.example.com")
        assert rights.find_lost(subuser.id, "news.example.com") is None

    def test_an_address_unless_a_domain_covers_it(
        self, control_plane: ControlPlane, rights: SenderRights, account: Account
    ) -> None:
        claim(control_plane, account, "example.com")

        assert rights.find_lost_address(account.id, "ann@gmail.test") == lost("ann@gmail.test")
        assert rights.find_lost_address(account.id, "ann@news.example.com") is None


class TestRegained:
    def test_a_domain_without_what_others_have_below_it(
        self, control_plane: ControlPlane, rights: SenderRights, account: Account, rival: Account
    ) -> None:
        claim(control_plane, account, "example.com")
        claim(control_plane, account, "own.example.com")
        claim(control_plane, rival, "theirs.example.com")

        assert rights.find_regained(account.id, "example.com") == back("example.com", "theirs.example.com")

    def test_nothing_while_it_is_not_ones_own(
        self, control_plane: ControlPlane, rights: SenderRights, account: Account, rival: Account
    ) -> None:
        claim(control_plane, rival, "example.com")

        assert rights.find_regained(account.id, "example.com") is None
        assert rights.find_regained(account.id, "example.org") is None


class TestDefault:
    def find(self, plane: ControlPlane, account_id: AccountId) -> str | None:
        found = plane.domains.find_default(account_id)
        return None if found is None else found.name

    def test_it_is_ones_own_while_it_is_verified(
        self, control_plane: ControlPlane, other_process: ControlPlane, account: Account, rival: Account
    ) -> None:
        claim(control_plane, account, "a.example")
        assert self.find(control_plane, account.id) is None
        number = claim(other_process, account, "b.example", is_default=True)
        assert self.find(control_plane, account.id) == "b.example"
        assert self.find(control_plane, rival.id) is None

        other_process.domains.withdraw(account.id, number)

        assert self.find(control_plane, account.id) is None

    def test_a_subuser_has_its_own_else_its_parents_if_that_is_assigned(
        self, control_plane: ControlPlane, account: Account, subuser: Account
    ) -> None:
        claim(control_plane, account, "a.example", is_default=True)
        told = [self.find(control_plane, subuser.id)]
        control_plane.domains.assign(account.id, "a.example", subuser.id)
        told.append(self.find(control_plane, subuser.id))
        claim(control_plane, subuser, "z.example", is_default=True)
        told.append(self.find(control_plane, subuser.id))

        assert told == [None, "a.example", "z.example"]
        assert self.find(control_plane, account.id) == "a.example"
