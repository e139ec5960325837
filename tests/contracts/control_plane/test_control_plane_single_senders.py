"""SingleSenderStore and ReviewStore on the real engine."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.review import DomainReview, ReviewState
from gatepost.tenancy.senders.single_sender import (
    SenderDetails,
    SenderExists,
    SenderId,
    SenderState,
    SingleSender,
)

HASH, OTHER_HASH = b"h" * 32, b"o" * 32


@pytest.fixture
def rival(control_plane: ControlPlane) -> Account:
    return lifecycle.create(
        control_plane.accounts, "rival", now=control_plane.clock.now(), entropy=control_plane.entropy
    )


def sender(account: Account, email: str = "ann@gmail.test") -> SingleSender:
    return SingleSender(
        account_id=account.id,
        email=email,
        details=SenderDetails(nickname="Ann", reply_to="ann@gmail.test", city="Zürich"),
        created_at=account.created_at,
        token_expires_at=account.created_at + timedelta(hours=48),
    )


def add(control_plane: ControlPlane, account: Account, email: str = "ann@gmail.test", token: bytes = HASH) -> SenderId:
    return control_plane.senders.add(sender(account, email), token)


def test_a_sender_is_found_as_it_was_stored(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    number = add(control_plane, account)

    assert other_process.senders.find(account.id, number) == replace(sender(account), id=number)
    assert other_process.senders.count(account.id) == 1


def test_one_token_is_taken_once_however_many_try(place: object, account: Account, control_plane: ControlPlane) -> None:
    number = add(control_plane, account)
    start, got = Barrier(4), []

    def prove() -> None:
        with place.open() as process:  # type: ignore[attr-defined]
            start.wait()
            got.append(process.senders.prove(account.id, HASH, account.created_at))

    threads = [Thread(target=prove) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [each.id for each in got if each is not None] == [number]
    assert control_plane.senders.is_verified(account.id, "ann@gmail.test")


def test_a_token_proves_nothing_for_another_account(
    control_plane: ControlPlane, account: Account, rival: Account
) -> None:
    add(control_plane, account)

    assert control_plane.senders.prove(rival.id, HASH, account.created_at) is None
    assert control_plane.senders.prove(account.id, HASH, account.created_at + timedelta(hours=48)) is None
    assert not control_plane.senders.is_verified(account.id, "ann@gmail.test")


def test_another_process_goes_by_a_withdrawal_at_once(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    number = add(control_plane, account)
    answers = [other_process.senders.is_verified(account.id, "ann@gmail.test")]
    control_plane.senders.prove(account.id, HASH, account.created_at)
    answers.append(other_process.senders.is_verified(account.id, "ann@gmail.test"))
    control_plane.senders.withdraw(account.id, number)
    answers.append(other_process.senders.is_verified(account.id, "ann@gmail.test"))

    assert answers == [False, True, False]
    kept = control_plane.senders.find(account.id, number)
    assert kept is not None
    assert (kept.state, kept.verified_at) == (SenderState.PENDING, account.created_at)


def test_a_sender_that_moves_has_to_be_proved_anew(control_plane: ControlPlane, account: Account) -> None:
    number = add(control_plane, account)
    add(control_plane, account, "bob@gmail.test", OTHER_HASH)
    control_plane.senders.prove(account.id, HASH, account.created_at)
    ends = account.created_at + timedelta(hours=1)

    with pytest.raises(SenderExists):
        control_plane.senders.move(account.id, number, "bob@gmail.test", b"n" * 32, ends)
    assert control_plane.senders.is_verified(account.id, "ann@gmail.test")
    assert control_plane.senders.move(account.id, number, "eve@gmail.test", b"n" * 32, ends)

    for email in ("ann@gmail.test", "eve@gmail.test"):
        assert not control_plane.senders.is_verified(account.id, email)


def test_nothing_is_done_to_another_accounts_sender(
    control_plane: ControlPlane, account: Account, rival: Account
) -> None:
    number, store = add(control_plane, account), control_plane.senders
    before = store.find(account.id, number)
    assert before is not None

    assert store.find(rival.id, number) is None
    assert list(store.list_after(rival.id, SenderId(0), 10)) == []
    assert not store.describe(rival.id, number, before.details)
    assert not store.move(rival.id, number, "x@y.test", OTHER_HASH, account.created_at)
    assert not store.renew(rival.id, number, OTHER_HASH, account.created_at)
    assert not store.remove(rival.id, number)
    store.withdraw(rival.id, number)

    assert store.find(account.id, number) == before


def test_the_number_of_a_sender_that_is_gone_is_not_given_again(control_plane: ControlPlane, account: Account) -> None:
    first = add(control_plane, account)
    control_plane.senders.remove(account.id, first)

    assert add(control_plane, account) > first


def test_the_same_address_twice_is_refused_and_leaves_no_record(control_plane: ControlPlane, account: Account) -> None:
    add(control_plane, account)
    before = len(list(control_plane.audit.list_after(account.id, 0, 100)))

    with pytest.raises(SenderExists):
        add(control_plane, account, token=OTHER_HASH)

    assert len(list(control_plane.audit.list_after(account.id, 0, 100))) == before


def test_no_token_is_written_into_the_log(
    control_plane: ControlPlane, account: Account, is_stored: Callable[[bytes], bool]
) -> None:
    number = add(control_plane, account)
    control_plane.senders.renew(account.id, number, OTHER_HASH, account.created_at + timedelta(days=9))
    control_plane.senders.prove(account.id, OTHER_HASH, account.created_at)

    acts = [each.event.act.value for each in control_plane.audit.list_after(account.id, 0, 100)]
    assert acts[-3:] == ["sender_added", "sender_token_renewed", "sender_verified"]
    assert not is_stored(OTHER_HASH.hex().encode())


def review(account_id: AccountId, control_plane: ControlPlane, looks_like: str = "paypal.example") -> DomainReview:
    return DomainReview(
        account_id=account_id,
        name="paypa1.example",
        looks_like=looks_like,
        state=ReviewState.HELD,
        held_at=control_plane.clock.now(),
    )


def test_a_review_stands_until_the_operator_decides(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, rival: Account
) -> None:
    held = review(account.id, control_plane)
    first = control_plane.reviews.hold(held)
    second = other_process.reviews.hold(review(account.id, control_plane, "another.example"))

    assert first == second == held
    assert list(other_process.reviews.list_held()) == [held]
    assert not control_plane.reviews.decide(rival.id, held.name, ReviewState.APPROVED, held.held_at)
    assert control_plane.reviews.decide(account.id, held.name, ReviewState.REJECTED, held.held_at)
    assert list(other_process.reviews.list_held()) == []
    decided = other_process.reviews.find(account.id, held.name)
    assert decided is not None
    assert decided.state is ReviewState.REJECTED
    acts = [each.event.act.value for each in control_plane.audit.list_after(account.id, 0, 100)]
    assert acts[-2:] == ["domain_held", "domain_rejected"]


def test_an_account_does_not_read_in_its_log_whose_name_its_own_looks_like(
    control_plane: ControlPlane, account: Account
) -> None:
    control_plane.reviews.hold(review(account.id, control_plane))

    assert "paypal.example" not in str(list(control_plane.audit.list_after(account.id, 0, 100)))
