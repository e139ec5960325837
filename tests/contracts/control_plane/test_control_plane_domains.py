"""DomainStore on the real engine."""

from dataclasses import replace
from datetime import datetime
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, DomainState, DomainTaken


@pytest.fixture
def rival(control_plane: ControlPlane) -> Account:
    return lifecycle.create(
        control_plane.accounts, "rival", now=control_plane.clock.now(), entropy=control_plane.entropy
    )


def claim(account: Account, name: str = "example.com") -> AuthenticatedDomain:
    at: datetime = account.created_at
    keys = tuple(
        DKIMKey(
            selector=selector, algorithm=algorithm, sealed_private_key=b"\0sealed", public_key="cHVi", created_at=at
        )
        for selector, algorithm in (("gp1r", SigningAlgorithm.RSA_SHA256), ("gp1e", SigningAlgorithm.ED25519_SHA256))
    )
    return AuthenticatedDomain(
        name=name, account_id=account.id, state=DomainState.PENDING, dkim_keys=keys, created_at=at
    )


def test_a_claim_is_found_as_it_was_stored(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    domain = claim(account)

    control_plane.domains.add(domain)

    assert other_process.domains.find(account.id, "example.com") == domain
    assert other_process.domains.list_all(account.id) == [domain]


def test_claims_are_listed_by_name(control_plane: ControlPlane, account: Account, rival: Account) -> None:
    for name in ("b.example", "a.example"):
        control_plane.domains.add(claim(account, name))
    control_plane.domains.add(claim(rival, "c.example"))

    assert [each.name for each in control_plane.domains.list_all(account.id)] == ["a.example", "b.example"]


def test_an_account_claims_a_name_once(control_plane: ControlPlane, account: Account) -> None:
    control_plane.domains.add(claim(account))

    with pytest.raises(DomainTaken):
        control_plane.domains.add(claim(account))


def test_a_pending_claim_is_not_verified(control_plane: ControlPlane, account: Account) -> None:
    control_plane.domains.add(claim(account))

    assert control_plane.domains.find_verified("example.com") is None


def test_a_verified_claim_is_found_by_its_name_alone(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    control_plane.domains.add(claim(account))
    assert other_process.domains.find_verified("example.com") is None
    now = control_plane.clock.now()

    control_plane.domains.mark_verified(account.id, "example.com", now)

    expected = replace(claim(account), state=DomainState.VERIFIED, verified_at=now)
    assert other_process.domains.find_verified("example.com") == expected
    assert control_plane.domains.find(account.id, "example.com") == expected
    assert control_plane.domains.find_verified("www.example.com") is None


def test_only_one_account_can_have_a_name_verified(
    control_plane: ControlPlane, account: Account, rival: Account
) -> None:
    for each in (account, rival):
        control_plane.domains.add(claim(each))
    control_plane.domains.mark_verified(account.id, "example.com", control_plane.clock.now())

    with pytest.raises(DomainTaken):
        control_plane.domains.mark_verified(rival.id, "example.com", control_plane.clock.now())

    found = control_plane.domains.find(rival.id, "example.com")
    assert found is not None
    assert found.state is DomainState.PENDING


def test_two_that_verify_one_name_at_once_do_not_both_succeed(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, rival: Account
) -> None:
    for each in (account, rival):
        control_plane.domains.add(claim(each))
    start, outcomes = Barrier(2), []

    def verify(plane: ControlPlane, holder: Account) -> None:
        start.wait()
        try:
            plane.domains.mark_verified(holder.id, "example.com", plane.clock.now())
            outcomes.append("verified")
        except DomainTaken:
            outcomes.append("taken")

    threads = [Thread(target=verify, args=pair) for pair in ((control_plane, account), (other_process, rival))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["taken", "verified"]


def test_the_first_verification_stands(control_plane: ControlPlane, clock: Any, account: Account) -> None:
    control_plane.domains.add(claim(account))
    first = control_plane.clock.now()
    control_plane.domains.mark_verified(account.id, "example.com", first)

    control_plane.domains.mark_verified(account.id, "example.com", clock.advance(days=1))

    found = control_plane.domains.find_verified("example.com")
    assert found is not None
    assert found.verified_at == first


def test_what_was_never_claimed_cannot_be_verified(control_plane: ControlPlane, account: Account) -> None:
    with pytest.raises(LookupError):
        control_plane.domains.mark_verified(account.id, "example.com", control_plane.clock.now())


def test_a_withdrawn_claim_counts_no_more_and_remembers_that_it_did(
    control_plane: ControlPlane, other_process: ControlPlane, clock: Any, account: Account, rival: Account
) -> None:
    for each in (account, rival):
        control_plane.domains.add(claim(each))
    first = control_plane.clock.now()
    control_plane.domains.mark_verified(account.id, "example.com", first)
    assert other_process.domains.find_verified("example.com") is not None

    control_plane.domains.withdraw(account.id, "example.com")

    assert other_process.domains.find_verified("example.com") is None
    assert control_plane.domains.find(account.id, "example.com") == replace(claim(account), verified_at=first)
    control_plane.domains.mark_verified(rival.id, "example.com", clock.advance(days=1))
    found = other_process.domains.find_verified("example.com")
    assert found is not None
    assert found.account_id == rival.id


def test_a_removed_claim_is_gone_at_once_with_its_keys(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    control_plane.domains.add(claim(account))
    control_plane.domains.mark_verified(account.id, "example.com", control_plane.clock.now())
    assert other_process.domains.find_verified("example.com") is not None

    assert control_plane.domains.remove(account.id, "example.com") is True

    assert other_process.domains.find_verified("example.com") is None
    with control_plane.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM dkim_keys").scalar() == 0


def test_another_account_s_claim_is_out_of_reach(control_plane: ControlPlane, account: Account, rival: Account) -> None:
    control_plane.domains.add(claim(account))

    assert control_plane.domains.find(rival.id, "example.com") is None
    assert control_plane.domains.remove(rival.id, "example.com") is False
    control_plane.domains.withdraw(rival.id, "example.com")
    with pytest.raises(LookupError):
        control_plane.domains.mark_verified(rival.id, "example.com", control_plane.clock.now())

    assert control_plane.domains.find(account.id, "example.com") == claim(account)


def test_a_claim_of_no_account_is_refused(control_plane: ControlPlane, account: Account) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        control_plane.domains.add(replace(claim(account), account_id=AccountId("acc_none")))


def test_more_names_than_are_remembered_are_still_answered(
    control_plane: ControlPlane, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.storage.senders.MAX_REMEMBERED", 3)
    control_plane.domains.add(claim(account))
    control_plane.domains.mark_verified(account.id, "example.com", control_plane.clock.now())

    answers = [control_plane.domains.find_verified(name) for name in ["example.com", *"abcdef", "example.com"]]

    assert [answer is not None for answer in answers] == [True, *[False] * 6, True]
    assert len(control_plane.plain.domains._verified.get()) <= 4


# ---------------------------------------------------------------- domains of a parent


@pytest.fixture
def subuser(control_plane: ControlPlane, account: Account) -> Account:
    return lifecycle.create(
        control_plane.accounts, "news", now=control_plane.clock.now(), entropy=control_plane.entropy, parent=account
    )


def verify(control_plane: ControlPlane, account: Account) -> None:
    control_plane.domains.add(claim(account))
    control_plane.domains.mark_verified(account.id, "example.com", account.created_at)


def test_a_subuser_may_use_what_is_assigned_to_it_and_nothing_else_of_its_parent(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, subuser: Account
) -> None:
    verify(control_plane, account)
    before = other_process.domains.find_verified("example.com")

    is_assigned = [control_plane.domains.assign(account.id, "example.com", subuser.id) for _ in range(2)]
    after = other_process.domains.find_verified("example.com")

    assert before is not None
    assert not before.may_be_used_by(subuser.id)
    assert is_assigned == [True, True]
    assert after is not None
    assert after.may_be_used_by(subuser.id)
    assert after.account_id == account.id
    assert other_process.domains.list_assigned(subuser.id) == [after]
    assert other_process.domains.list_all(subuser.id) == []


def test_a_domain_is_taken_back_at_once_in_every_process(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, subuser: Account
) -> None:
    verify(control_plane, account)
    control_plane.domains.assign(account.id, "example.com", subuser.id)

    is_taken = [control_plane.domains.unassign(account.id, "example.com", subuser.id) for _ in range(2)]

    found = other_process.domains.find_verified("example.com")
    assert is_taken == [True, False]
    assert found is not None
    assert not found.may_be_used_by(subuser.id)


def test_nobody_assigns_to_whom_is_not_its_subuser_or_what_is_not_its_own(
    control_plane: ControlPlane, account: Account, subuser: Account, rival: Account
) -> None:
    verify(control_plane, account)

    assert not control_plane.domains.assign(account.id, "example.com", rival.id)
    assert not control_plane.domains.assign(rival.id, "example.com", subuser.id)
    assert not control_plane.domains.assign(account.id, "other.example", subuser.id)
    assert not control_plane.domains.assign(subuser.id, "example.com", account.id)
    assert control_plane.domains.list_assigned(subuser.id) == []


def test_an_assignment_ends_with_the_claim(control_plane: ControlPlane, account: Account, subuser: Account) -> None:
    verify(control_plane, account)
    control_plane.domains.assign(account.id, "example.com", subuser.id)

    control_plane.domains.remove(account.id, "example.com")
    verify(control_plane, account)

    assert control_plane.domains.list_assigned(subuser.id) == []


def test_an_assignment_is_in_the_chains_of_both(
    control_plane: ControlPlane, account: Account, subuser: Account
) -> None:
    verify(control_plane, account)
    for _ in range(2):
        control_plane.domains.assign(account.id, "example.com", subuser.id)
    control_plane.domains.unassign(account.id, "example.com", subuser.id)

    for chain in (account.id, subuser.id):
        acts = [entry.event.act.value for entry in control_plane.audit.list_after(chain, 0, 20)]
        assert acts[-2:] == ["domain_assigned", "domain_unassigned"]
        assert acts.count("domain_assigned") == 1
