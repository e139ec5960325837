"""DomainStore on the real engine."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId
from gatepost.runtime.compose_senders import compose_guard
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.own_zone import OwnZone
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.claim import HeldForReview, accept_proof
from gatepost.tenancy.senders.dns_plan import Relay
from gatepost.tenancy.senders.domain import (
    UNNUMBERED,
    AuthenticatedDomain,
    DKIMKey,
    DomainId,
    DomainState,
    DomainTaken,
    KeyState,
)


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


def verify(plane: ControlPlane, account: Account, at: datetime | None = None, name: str = "example.com") -> None:
    held = plane.domains.find(account.id, name)
    plane.domains.mark_verified(account.id, held.id if held else DomainId(404), at or plane.clock.now())


def withdraw(plane: ControlPlane, account: Account) -> None:
    held = plane.domains.find(account.id, "example.com")
    assert held is not None
    plane.domains.withdraw(account.id, held.id)


def test_a_claim_is_found_as_it_was_stored(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    domain = claim(account)

    number = control_plane.domains.add(domain)

    assert other_process.domains.find(account.id, "example.com") == replace(domain, id=number)
    assert other_process.domains.find_numbered(account.id, number) == replace(domain, id=number)
    assert other_process.domains.list_all(account.id) == [replace(domain, id=number)]


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
    number = control_plane.domains.add(claim(account))
    assert other_process.domains.find_verified("example.com") is None
    now = control_plane.clock.now()

    verify(control_plane, account, now)

    expected = replace(claim(account), id=number, state=DomainState.VERIFIED, verified_at=now)
    assert other_process.domains.find_verified("example.com") == expected
    assert control_plane.domains.find(account.id, "example.com") == expected
    assert control_plane.domains.find_verified("www.example.com") is None


def test_only_one_account_can_have_a_name_verified(
    control_plane: ControlPlane, account: Account, rival: Account
) -> None:
    for each in (account, rival):
        control_plane.domains.add(claim(each))
    verify(control_plane, account)

    with pytest.raises(DomainTaken):
        verify(control_plane, rival)

    found = control_plane.domains.find(rival.id, "example.com")
    assert found is not None
    assert found.state is DomainState.PENDING


def test_two_that_verify_one_name_at_once_do_not_both_succeed(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, rival: Account
) -> None:
    for each in (account, rival):
        control_plane.domains.add(claim(each))
    start, outcomes = Barrier(2), []

    def try_to_verify(plane: ControlPlane, holder: Account) -> None:
        start.wait()
        try:
            verify(plane, holder)
            outcomes.append("verified")
        except DomainTaken:
            outcomes.append("taken")

    threads = [Thread(target=try_to_verify, args=pair) for pair in ((control_plane, account), (other_process, rival))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["taken", "verified"]


def test_of_two_alike_names_proved_at_once_one_is_verified_and_the_other_held(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, rival: Account
) -> None:
    start, outcomes = Barrier(2), {}
    names = {account.id: "brandname.example", rival.id: "brandnarne.example"}
    for each in (account, rival):
        control_plane.domains.add(claim(each, names[each.id]))

    def prove(plane: ControlPlane, holder: Account) -> None:
        guard = compose_guard(plane, "mail.relay.example", ())
        held = plane.domains.find(holder.id, names[holder.id])
        assert held is not None
        start.wait()
        try:
            accept_proof(plane.domains, held, guard=guard, now=plane.clock.now())
            outcomes[holder.id] = "verified"
        except HeldForReview as held_for:
            outcomes[holder.id] = held_for.review.state.value

    threads = [Thread(target=prove, args=pair) for pair in ((control_plane, account), (other_process, rival))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes.values()) == ["held", "verified"]
    verified = {each for each in names.values() if control_plane.domains.find_verified(each)}
    held = {review.name for review in control_plane.reviews.list_held()}
    assert (len(verified), verified | held) == (1, set(names.values()))


def test_the_first_verification_stands(control_plane: ControlPlane, clock: Any, account: Account) -> None:
    control_plane.domains.add(claim(account))
    first = control_plane.clock.now()
    verify(control_plane, account, first)

    verify(control_plane, account, clock.advance(days=1))

    found = control_plane.domains.find_verified("example.com")
    assert found is not None
    assert found.verified_at == first


def test_what_was_never_claimed_cannot_be_verified(control_plane: ControlPlane, account: Account) -> None:
    with pytest.raises(LookupError):
        verify(control_plane, account)


def test_a_withdrawn_claim_counts_no_more_and_remembers_that_it_did(
    control_plane: ControlPlane, other_process: ControlPlane, clock: Any, account: Account, rival: Account
) -> None:
    number, _ = (control_plane.domains.add(claim(each)) for each in (account, rival))
    first = control_plane.clock.now()
    verify(control_plane, account, first)
    assert other_process.domains.find_verified("example.com") is not None

    withdraw(control_plane, account)

    assert other_process.domains.find_verified("example.com") is None
    assert control_plane.domains.find(account.id, "example.com") == replace(
        claim(account), id=number, verified_at=first
    )
    verify(control_plane, rival, clock.advance(days=1))
    found = other_process.domains.find_verified("example.com")
    assert found is not None
    assert found.account_id == rival.id


def test_a_removed_claim_is_gone_at_once_with_its_keys(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    number = control_plane.domains.add(claim(account))
    verify(control_plane, account)
    assert other_process.domains.find_verified("example.com") is not None

    assert control_plane.domains.remove(account.id, number) is True

    assert other_process.domains.find_verified("example.com") is None
    with control_plane.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM dkim_keys").scalar() == 0


def test_another_account_s_claim_is_out_of_reach(control_plane: ControlPlane, account: Account, rival: Account) -> None:
    number = control_plane.domains.add(claim(account))

    assert control_plane.domains.find(rival.id, "example.com") is None
    assert control_plane.domains.find_numbered(rival.id, number) is None
    assert control_plane.domains.remove(rival.id, number) is False
    assert control_plane.domains.change(rival.id, number, lambda held: replace(held, is_default=True)) is None
    control_plane.domains.withdraw(rival.id, number)
    with pytest.raises(LookupError):
        control_plane.domains.mark_verified(rival.id, number, control_plane.clock.now())

    assert control_plane.domains.find(account.id, "example.com") == replace(claim(account), id=number)


def test_the_number_of_a_removed_claim_is_never_given_again(control_plane: ControlPlane, account: Account) -> None:
    first = control_plane.domains.add(claim(account))
    control_plane.domains.remove(account.id, first)

    assert control_plane.domains.add(claim(account)) > first


def second(account: Account, **more: Any) -> AuthenticatedDomain:
    """Another authentication of the same name: its selector and return path are its own."""
    keys = tuple(replace(key, selector=f"second{n}") for n, key in enumerate(claim(account).dkim_keys))
    return replace(claim(account), dkim_keys=keys, return_path="em2", **more)


def test_a_name_can_be_authenticated_twice_and_the_default_one_signs(
    control_plane: ControlPlane, account: Account
) -> None:
    first = control_plane.domains.add(claim(account))
    other = control_plane.domains.add(second(account, is_default=True))
    for number in (first, other):
        control_plane.domains.mark_verified(account.id, number, control_plane.clock.now())

    found = control_plane.domains.find_verified("example.com")
    assert found is not None
    assert found.id == other

    control_plane.domains.remove(account.id, other)
    left = control_plane.domains.find_verified("example.com")
    assert left is not None
    assert left.id == first


def test_a_name_stays_its_owner_s_while_one_claim_is_verified(
    control_plane: ControlPlane, account: Account, rival: Account
) -> None:
    first, other = control_plane.domains.add(claim(account)), control_plane.domains.add(second(account))
    theirs = control_plane.domains.add(claim(rival))
    for number in (first, other):
        control_plane.domains.mark_verified(account.id, number, control_plane.clock.now())

    control_plane.domains.withdraw(account.id, first)
    with pytest.raises(DomainTaken):
        control_plane.domains.mark_verified(rival.id, theirs, control_plane.clock.now())

    control_plane.domains.remove(account.id, other)
    control_plane.domains.mark_verified(rival.id, theirs, control_plane.clock.now())
    assert control_plane.domains.find_verified("example.com").account_id == rival.id  # type: ignore[union-attr]


def test_two_claims_to_a_name_share_no_return_path(control_plane: ControlPlane, account: Account) -> None:
    control_plane.domains.add(replace(claim(account), return_path="em2"))

    with pytest.raises(DomainTaken, match=r"em2\.example\.com"):
        control_plane.domains.add(second(account))


def test_one_label_of_our_zone_is_one_claim_s(control_plane: ControlPlane, account: Account, rival: Account) -> None:
    control_plane.domains.add(replace(claim(account), label="abcdef"))

    with pytest.raises(IntegrityError):
        control_plane.domains.add(replace(claim(rival), label="abcdef"))


def test_a_change_is_seen_by_others_with_the_keys_as_decided(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    number = control_plane.domains.add(claim(account))
    verify(control_plane, account)
    assert other_process.domains.find_verified("example.com") is not None
    at = control_plane.clock.now()

    def decide(held: AuthenticatedDomain) -> AuthenticatedDomain:
        gone, kept = held.dkim_keys
        emptied = replace(gone, state=KeyState.EMPTIED, changed_at=at, sealed_private_key=b"", public_key="")
        return replace(
            held, dkim_keys=(kept, emptied), is_default=True, addresses=("192.0.2.1",), failing_since=at,
            name="other.example", state=DomainState.PENDING,
        )  # fmt: skip

    changed = control_plane.domains.change(account.id, number, decide)

    found = other_process.domains.find_verified("example.com")
    assert changed is not None
    assert found is not None
    assert found.dkim_keys == changed.dkim_keys
    assert [key.selector for key in found.signing_keys] == ["gp1e"]
    assert (found.is_default, found.addresses, found.failing_since) == (True, ("192.0.2.1",), at)


def test_an_account_has_one_default(control_plane: ControlPlane, account: Account, rival: Account) -> None:
    numbers = [control_plane.domains.add(claim(account, f"{letter}.example")) for letter in "ab"]
    theirs = control_plane.domains.add(replace(claim(rival), is_default=True))
    for number in numbers:
        control_plane.domains.change(account.id, number, lambda held: replace(held, is_default=True))

    assert [each.is_default for each in control_plane.domains.list_all(account.id)] == [False, True]
    assert control_plane.domains.find_numbered(rival.id, theirs).is_default  # type: ignore[union-attr]


def test_upkeep_goes_through_all_claims_in_turns(control_plane: ControlPlane, account: Account, rival: Account) -> None:
    numbers = [
        control_plane.domains.add(replace(claim(holder, f"{letter}.example"), label=label))
        for holder, letter, label in ((account, "a", "one"), (rival, "b", None), (rival, "c", "two"))
    ]
    for holder, number in zip((account, rival, rival), numbers, strict=True):
        if number != numbers[2]:
            control_plane.domains.mark_verified(holder.id, number, control_plane.clock.now())

    store = control_plane.domains
    assert [each.id for each in store.list_kept(UNNUMBERED, 1)] == [numbers[0]]
    assert [each.id for each in store.list_kept(numbers[0], 10)] == [numbers[1]]


def test_what_was_withdrawn_because_its_records_had_gone_is_kept_up(
    control_plane: ControlPlane, account: Account, rival: Account
) -> None:
    store, now = control_plane.domains, control_plane.clock.now()
    failing, given_up = store.add(claim(account)), store.add(claim(rival, "other.example"))
    for holder, number in ((account, failing), (rival, given_up)):
        store.mark_verified(holder.id, number, now)
        store.withdraw(holder.id, number)

    store.change(account.id, failing, lambda present: replace(present, failing_since=now))

    assert [each.id for each in store.list_kept(UNNUMBERED, 10)] == [failing]


RELAY = Relay(host_name="mail.relay.example", zone="gp.relay.example")


def labelled(account: Account, label: str, name: str = "example.com") -> AuthenticatedDomain:
    return replace(claim(account, name), label=label)


def test_the_zone_tells_what_has_changed_since(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    store = control_plane.domains
    store.add(claim(account, "manual.example"))
    number = store.add(labelled(account, "one"))
    first = other_process.domains.read_zone(0)
    assert first is not None
    assert ([each.id for each in first.changed], first.labels) == ([number], frozenset({"one"}))
    assert other_process.domains.read_zone(first.serial) is None

    second_number = store.add(labelled(account, "two", "two.example"))
    second = other_process.domains.read_zone(first.serial)
    assert second is not None
    assert second.serial > first.serial
    assert ([each.id for each in second.changed], second.labels) == ([second_number], frozenset({"one", "two"}))

    store.remove(account.id, number)
    third = other_process.domains.read_zone(second.serial)
    assert third is not None
    assert (third.changed, third.labels) == ((), frozenset({"two"}))


@pytest.mark.parametrize(
    ("change", "is_shown"),
    [
        ({"dkim_keys": ()}, True),
        ({"custom_spf": True, "addresses": ("192.0.2.1",)}, True),
        ({"is_default": True}, False),
        ({"checked_at": datetime(2026, 5, 1, tzinfo=UTC)}, False),
        ({"records_found": frozenset({"dkim1"})}, False),
        ({"rotation_requested_at": datetime(2026, 5, 1, tzinfo=UTC), "rotation_is_urgent": True}, False),
    ],
    ids=str,
)
def test_only_what_the_zone_shows_gives_it_a_new_serial(
    control_plane: ControlPlane, account: Account, change: dict[str, Any], is_shown: bool
) -> None:
    number = control_plane.domains.add(labelled(account, "one"))
    before = control_plane.domains.read_zone(0)
    assert before is not None

    changed = control_plane.domains.change(account.id, number, lambda present: replace(present, **change))

    assert control_plane.domains.find_numbered(account.id, number) == changed
    assert (control_plane.domains.read_zone(before.serial) is not None) is is_shown


OTHER_SETTINGS = {
    "the name servers": {"name_servers": ("ns9.relay.example",)},
    "the contact": {"contact": "hostmaster@relay.example"},
    "the host name": {"relay": replace(RELAY, host_name="other.relay.example")},
    "the networks": {"relay": replace(RELAY, sending_networks=(ip_network("203.0.113.0/24"),))},
}


@pytest.mark.parametrize("other", OTHER_SETTINGS.values(), ids=OTHER_SETTINGS)
def test_other_settings_alone_give_the_zone_a_new_serial_once(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, other: dict[str, Any]
) -> None:
    def read(plane: ControlPlane, settings: dict[str, Any]) -> int:
        own_zone = OwnZone(plane.domains, **{"relay": RELAY, "name_servers": ("ns1.relay.example",), **settings})
        own_zone.refresh()
        own_zone.refresh()
        return own_zone.zone.serial

    control_plane.domains.add(labelled(account, "one"))
    before = [read(plane, {}) for plane in (control_plane, other_process)]

    after = [read(plane, other) for plane in (control_plane, other_process)]

    assert before[0] == before[1]
    assert after == [before[0] + 1] * 2
    assert read(control_plane, {}) == before[0] + 2


def test_a_zone_that_is_served_already_takes_the_new_serial_up(control_plane: ControlPlane, account: Account) -> None:
    control_plane.domains.add(labelled(account, "one"))
    served = OwnZone(control_plane.domains, RELAY)
    served.refresh()
    before = served.zone.serial

    OwnZone(control_plane.domains, RELAY, contact="hostmaster@relay.example").refresh()

    assert served.refresh()
    assert served.zone.serial == before + 1
    assert not served.refresh()


def test_a_label_is_never_two_claims(control_plane: ControlPlane, account: Account, rival: Account) -> None:
    control_plane.domains.add(labelled(account, "one"))

    with pytest.raises(IntegrityError):
        control_plane.domains.add(labelled(rival, "one"))


def test_a_claim_of_no_account_is_refused(control_plane: ControlPlane, account: Account) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        control_plane.domains.add(replace(claim(account), account_id=AccountId("acc_none")))


def test_more_names_than_are_remembered_are_still_answered(
    control_plane: ControlPlane, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.storage.senders.MAX_REMEMBERED", 3)
    control_plane.domains.add(claim(account))
    verify(control_plane, account)

    answers = [control_plane.domains.find_verified(name) for name in ["example.com", *"abcdef", "example.com"]]

    assert [answer is not None for answer in answers] == [True, *[False] * 6, True]
    assert len(control_plane.plain.domains._verified.get()) <= 4


# ---------------------------------------------------------------- domains of a parent


@pytest.fixture
def subuser(control_plane: ControlPlane, account: Account) -> Account:
    return lifecycle.create(
        control_plane.accounts, "news", now=control_plane.clock.now(), entropy=control_plane.entropy, parent=account
    )


def own(control_plane: ControlPlane, account: Account) -> DomainId:
    number = control_plane.domains.add(claim(account))
    control_plane.domains.mark_verified(account.id, number, account.created_at)
    return number


def test_a_subuser_may_use_what_is_assigned_to_it_and_nothing_else_of_its_parent(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, subuser: Account
) -> None:
    own(control_plane, account)
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
    own(control_plane, account)
    control_plane.domains.assign(account.id, "example.com", subuser.id)

    is_taken = [control_plane.domains.unassign(account.id, "example.com", subuser.id) for _ in range(2)]

    found = other_process.domains.find_verified("example.com")
    assert is_taken == [True, False]
    assert found is not None
    assert not found.may_be_used_by(subuser.id)


def test_nobody_assigns_to_whom_is_not_its_subuser_or_what_is_not_its_own(
    control_plane: ControlPlane, account: Account, subuser: Account, rival: Account
) -> None:
    own(control_plane, account)

    assert not control_plane.domains.assign(account.id, "example.com", rival.id)
    assert not control_plane.domains.assign(rival.id, "example.com", subuser.id)
    assert not control_plane.domains.assign(account.id, "other.example", subuser.id)
    assert not control_plane.domains.assign(subuser.id, "example.com", account.id)
    assert control_plane.domains.list_assigned(subuser.id) == []


def test_an_assignment_ends_with_the_claim(control_plane: ControlPlane, account: Account, subuser: Account) -> None:
    numbers = [own(control_plane, account), control_plane.domains.add(replace(claim(account), dkim_keys=()))]
    control_plane.domains.assign(account.id, "example.com", subuser.id)

    control_plane.domains.remove(account.id, numbers[0])
    assert len(control_plane.domains.list_assigned(subuser.id)) == 1
    control_plane.domains.remove(account.id, numbers[1])
    own(control_plane, account)

    assert control_plane.domains.list_assigned(subuser.id) == []


def test_an_assignment_is_in_the_chains_of_both(
    control_plane: ControlPlane, account: Account, subuser: Account
) -> None:
    own(control_plane, account)
    for _ in range(2):
        control_plane.domains.assign(account.id, "example.com", subuser.id)
    control_plane.domains.unassign(account.id, "example.com", subuser.id)

    for chain in (account.id, subuser.id):
        acts = [entry.event.act.value for entry in control_plane.audit.list_after(chain, 0, 20)]
        assert acts[-2:] == ["domain_assigned", "domain_unassigned"]
        assert acts.count("domain_assigned") == 1
