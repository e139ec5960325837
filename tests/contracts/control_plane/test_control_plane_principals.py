"""Principals on the real stores: who gets in, what is told to whom, and that rights are those of now."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from statistics import fmean, variance
from typing import Any

import pytest
from sqlalchemy import event

from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import KeyId
from gatepost.primitives.secret import Secret
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.ip_access.attempt_log import AttemptLog
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.access.principals import Principals
from gatepost.tenancy.access.throttle import AuthenticationThrottle, ThrottleLimits
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.credits import allocate

Issue = Callable[..., Any]
PEER = ip_address("192.0.2.1")
_, REVIEW, SUSPENDED, CLOSED = AccountState


@pytest.fixture
def principals(control_plane: ControlPlane) -> Principals:
    return control_plane.principals


def reason(answer: Principal | Deny) -> object:
    return answer.reason if isinstance(answer, Deny) else answer


def forged(issued: Any, entropy: Any) -> Secret[bytes]:
    """A password with the id of a key, a good checksum, and another secret."""
    random = entropy.draw(28)
    octets = random + api_key._checksum(issued.key.id.encode(), random)
    return Secret(f"SG.{issued.key.id}.{api_key.base64url(octets)}".encode())


def unknown(place: Any, account: Account) -> Secret[bytes]:
    """A well-formed key that was never stored."""
    _, secret = api_key.issue(
        account_id=account.id, name="", grant=Grant(scopes=frozenset()), now=place.clock.now(), entropy=place.entropy
    )
    return Secret(secret.reveal().encode())


def test_a_key_opens_with_the_rights_it_has(principals: Principals, account: Account, issue: Issue) -> None:
    issued = issue(allowed_authors=("example.com",), allowed_networks=(ip_network("192.0.2.0/24"),))

    principal = principals.authenticate("apikey", issued.password, PEER)

    assert principal == Principal(
        account_id=account.id,
        account_state=AccountState.ACTIVE,
        key_id=issued.key.id,
        scopes=frozenset({"mail.send"}),
        allowed_networks=(ip_network("192.0.2.0/24"),),
        allowed_authors=("example.com",),
    )


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        ("apikey", b"", AccessDenial.BAD_CREDENTIAL),
        ("apikey", b"hunter2", AccessDenial.BAD_CREDENTIAL),
        ("acme", b"hunter2", AccessDenial.PASSWORD_NOT_TAKEN),
        ("nobody", b"hunter2", AccessDenial.PASSWORD_NOT_TAKEN),
        ("", b"", AccessDenial.PASSWORD_NOT_TAKEN),
    ],
    ids=["empty", "no key", "account password", "no such account", "nothing"],
)
def test_what_is_no_key_is_refused(
    principals: Principals, account: Account, username: str, password: bytes, expected: AccessDenial
) -> None:
    assert reason(principals.authenticate(username, Secret(password), PEER)) is expected


@pytest.mark.parametrize("username", ["acme", "nobody", "APIKEY", "apikey ", ""])
def test_a_good_key_under_another_user_name_is_refused(
    principals: Principals, account: Account, issue: Issue, username: str
) -> None:
    assert reason(principals.authenticate(username, issue().password, PEER)) is AccessDenial.BAD_CREDENTIAL


def test_a_wrong_secret_and_an_unknown_key_get_one_answer(
    principals: Principals, place: Any, account: Account, issue: Issue
) -> None:
    issued = issue()
    principals.authenticate("apikey", issued.password, PEER)

    wrong = principals.authenticate("apikey", forged(issued, place.entropy), PEER)
    missing = principals.authenticate("apikey", unknown(place, account), PEER)

    assert wrong == missing
    assert reason(wrong) is AccessDenial.KEY_NOT_VALID


@pytest.mark.parametrize(
    ("grant", "peer", "expected"),
    [
        ({"allowed_networks": (ip_network("10.0.0.0/8"),)}, PEER, AccessDenial.NETWORK_NOT_ALLOWED),
        ({"allowed_networks": (ip_network("2001:db8::/32"),)}, PEER, AccessDenial.NETWORK_NOT_ALLOWED),
        ({"scopes": frozenset({"stats.read"})}, PEER, AccessDenial.SCOPE_MISSING),
        ({"scopes": frozenset()}, PEER, AccessDenial.SCOPE_MISSING),
    ],
    ids=["other network", "other family", "other scope", "no scope"],
)
def test_limits_of_the_key_are_kept_and_told_to_its_holder_only(
    principals: Principals, place: Any, issue: Issue, grant: dict[str, Any], peer: Any, expected: AccessDenial
) -> None:
    issued = issue(**grant)

    assert reason(principals.authenticate("apikey", issued.password, peer)) is expected
    assert reason(principals.authenticate("apikey", forged(issued, place.entropy), peer)) is AccessDenial.KEY_NOT_VALID


def test_an_ipv4_client_of_a_dual_stack_listener_is_in_its_ipv4_network(principals: Principals, issue: Issue) -> None:
    issued = issue(allowed_networks=(ip_network("192.0.2.0/24"),))

    assert principals.authenticate("apikey", issued.password, ip_address("::ffff:192.0.2.9"))


@pytest.mark.parametrize("state", [SUSPENDED, CLOSED])
def test_an_account_that_is_not_active_sends_nothing(
    control_plane: ControlPlane, principals: Principals, place: Any, account: Account, issue: Issue, state: AccountState
) -> None:
    issued = issue()
    lifecycle.move(control_plane.accounts, account, state)

    assert reason(principals.authenticate("apikey", issued.password, PEER)) is AccessDenial.ACCOUNT_NOT_ACTIVE
    assert reason(principals.authenticate("apikey", forged(issued, place.entropy), PEER)) is AccessDenial.KEY_NOT_VALID


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda plane, key: plane.keys.revoke(key.account_id, key.id, plane.clock.now()), AccessDenial.KEY_NOT_VALID),
        (
            lambda plane, key: plane.keys.change_grant(
                key.account_id, key.id, lambda grant: Grant(scopes=frozenset({"stats.read"}))
            ),
            AccessDenial.SCOPE_MISSING,
        ),
        (
            lambda plane, key: plane.keys.change_grant(
                key.account_id,
                key.id,
                lambda grant: Grant(scopes=grant.scopes, allowed_networks=(ip_network("10.0.0.0/8"),)),
            ),
            AccessDenial.NETWORK_NOT_ALLOWED,
        ),
        (
            lambda plane, key: plane.accounts.change_state(
                key.account_id, to=AccountState.SUSPENDED, only_from={AccountState.ACTIVE}
            ),
            AccessDenial.ACCOUNT_NOT_ACTIVE,
        ),
    ],
    ids=["revoked", "scope lost", "network lost", "account suspended"],
)
def test_what_another_process_takes_away_is_gone_at_once(
    principals: Principals,
    other_process: ControlPlane,
    issue: Issue,
    change: Callable[..., object],
    expected: AccessDenial,
) -> None:
    issued = issue()
    principal = principals.authenticate("apikey", issued.password, PEER)
    assert isinstance(principal, Principal)
    assert principals.recheck(principal, PEER) == principal

    change(other_process, issued.key)

    assert reason(principals.recheck(principal, PEER)) is expected
    assert reason(principals.authenticate("apikey", issued.password, PEER)) is expected


def test_rights_come_back_when_the_account_does(
    control_plane: ControlPlane, principals: Principals, account: Account, issue: Issue
) -> None:
    principal = principals.authenticate("apikey", issue().password, PEER)
    assert isinstance(principal, Principal)
    lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)
    assert not principals.recheck(principal, PEER)

    lifecycle.move(control_plane.accounts, account, AccountState.ACTIVE)

    assert principals.recheck(principal, PEER) == principal


def test_narrowed_authors_show_in_the_session_already_open(
    principals: Principals, other_process: ControlPlane, issue: Issue
) -> None:
    issued = issue()
    principal = principals.authenticate("apikey", issued.password, PEER)
    assert isinstance(principal, Principal)

    other_process.keys.change_grant(
        issued.key.account_id,
        issued.key.id,
        lambda grant: Grant(scopes=grant.scopes, allowed_authors=("news@example.com",)),
    )

    now = principals.recheck(principal, PEER)
    assert isinstance(now, Principal)
    assert now.allowed_authors == ("news@example.com",)


def test_a_key_ends_at_its_instant_without_any_commit(principals: Principals, clock: Any, issue: Issue) -> None:
    issued = issue(expires_at=clock.now() + timedelta(seconds=10))
    principal = principals.authenticate("apikey", issued.password, PEER)
    assert isinstance(principal, Principal)
    clock.advance(seconds=9.999999)
    assert principals.recheck(principal, PEER) == principal

    clock.advance(seconds=0.000001)

    assert reason(principals.recheck(principal, PEER)) is AccessDenial.KEY_NOT_VALID
    assert reason(principals.authenticate("apikey", issued.password, PEER)) is AccessDenial.KEY_NOT_VALID


def test_a_session_that_moves_out_of_its_network_loses_its_rights(principals: Principals, issue: Issue) -> None:
    principal = principals.authenticate("apikey", issue(allowed_networks=(ip_network("192.0.2.0/24"),)).password, PEER)
    assert isinstance(principal, Principal)

    assert reason(principals.recheck(principal, ip_address("198.51.100.1"))) is AccessDenial.NETWORK_NOT_ALLOWED


def test_a_principal_of_no_key_has_no_rights(principals: Principals, account: Account) -> None:
    invented = Principal(
        account_id=account.id, account_state=AccountState.ACTIVE, key_id=KeyId("none"), scopes=frozenset({"mail.send"})
    )

    assert reason(principals.recheck(invented, PEER)) is AccessDenial.KEY_NOT_VALID


def test_refresh_forgets_what_was_held(principals: Principals, issue: Issue) -> None:
    principal = principals.authenticate("apikey", issue().password, PEER)
    assert isinstance(principal, Principal)
    assert principals._current._held is not None

    principals.refresh()

    assert principals._current._held is None
    assert principals.recheck(principal, PEER) == principal


def test_a_store_that_does_not_answer_is_neither_yes_nor_no(place: Any, issue: Issue) -> None:
    issued = issue()
    opened = place.open()
    principal = opened.principals.authenticate("apikey", issued.password, PEER)
    opened.close()

    with pytest.raises(Transient):
        opened.principals.recheck(principal, PEER)
    with pytest.raises(Transient):
        opened.principals.authenticate("apikey", issued.password, PEER)


def test_uses_are_written_when_flushed_and_not_before(
    control_plane: ControlPlane, principals: Principals, clock: Any, issue: Issue
) -> None:
    issued = issue()
    principal = principals.authenticate("apikey", issued.password, PEER)
    at = clock.advance(seconds=30)
    principals.record_use(principal, ip_address("::ffff:192.0.2.2"))
    assert control_plane.keys.resolve(issued.key.id) == issued.key

    assert principals.flush_last_used() == 1

    key = control_plane.keys.resolve(issued.key.id)
    assert key is not None
    assert (key.last_used_at, key.last_used_from) == (at, "192.0.2.2")
    assert principals.flush_last_used() == 0


def test_uses_that_could_not_be_written_stay_noted(
    shorten_waiting: None, place: Any, control_plane: ControlPlane, issue: Issue
) -> None:
    issued = issue()
    opened = place.open()
    opened.principals.authenticate("apikey", issued.password, PEER)

    with control_plane.database.writing(), pytest.raises(Transient):
        opened.principals.flush_last_used()

    assert opened.principals.flush_last_used() == 1
    opened.close()


def test_a_refused_credential_is_no_use(principals: Principals, issue: Issue) -> None:
    principals.authenticate("apikey", issue(scopes=frozenset()).password, PEER)

    assert principals.flush_last_used() == 0


def test_a_network_that_guesses_is_no_longer_looked_at(
    principals: Principals, place: Any, account: Account, issue: Issue
) -> None:
    issued = issue()
    for _ in range(10):
        assert reason(principals.authenticate("apikey", unknown(place, account), PEER)) is AccessDenial.KEY_NOT_VALID

    neighbour = ip_address("192.0.2.200")
    assert reason(principals.authenticate("apikey", issued.password, neighbour)) is AccessDenial.TOO_MANY_ATTEMPTS
    assert reason(principals.authenticate("acme", Secret(b"x"), neighbour)) is AccessDenial.TOO_MANY_ATTEMPTS
    assert isinstance(principals.authenticate("apikey", issued.password, ip_address("198.51.100.1")), Principal)


def test_the_owner_gets_through_from_the_very_network_that_guesses(
    control_plane: ControlPlane, principals: Principals, place: Any, account: Account, issue: Issue
) -> None:
    issued = issue()
    principals.authenticate("apikey", issued.password, PEER)
    for _ in range(12):
        principals.authenticate("apikey", forged(issued, place.entropy), PEER)
    issue(name="a commit that drops every right held")

    assert isinstance(principals.authenticate("apikey", issued.password, PEER), Principal)
    assert (
        reason(principals.authenticate("apikey", forged(issued, place.entropy), PEER)) is AccessDenial.TOO_MANY_ATTEMPTS
    )


def test_refusals_grow_slower_but_a_right_key_without_rights_is_not_punished(
    principals: Principals, place: Any, account: Account, issue: Issue
) -> None:
    delays = [principals.authenticate("apikey", unknown(place, account), PEER).delay.total_seconds() for _ in range(6)]
    no_rights = [principals.authenticate("apikey", issue(scopes=frozenset()).password, PEER) for _ in range(6)]

    assert delays == [0, 0, 0, 0.5, 1, 2]
    assert {(reason(each), each.delay.total_seconds()) for each in no_rights} == {(AccessDenial.SCOPE_MISSING, 0)}


def test_more_keys_than_are_remembered_still_work(
    control_plane: ControlPlane, principals: Principals, issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.tenancy.access.principals.MAX_REMEMBERED", 2)
    keys = [issue() for _ in range(5)]

    for issued in keys * 2:
        assert isinstance(principals.authenticate("apikey", issued.password, PEER), Principal)

    assert len(principals._proved) <= 2
    assert len(principals._current.get()) <= 3


@pytest.fixture
def unhurried(control_plane: ControlPlane) -> Principals:
    """Principals that guesses do not slow down."""
    return Principals(
        keys=control_plane.keys,
        accounts=control_plane.accounts,
        lists=control_plane.ip_access,
        limits=control_plane.sending_limits,
        attempts=AttemptLog(control_plane.attempts),
        version=control_plane.version,
        keyring_hash=control_plane.keyring.hash_secret,
        clock=control_plane.clock,
        throttle=AuthenticationThrottle(ThrottleLimits(per_network=10**9, per_key_id=10**9, overall=10**9)),
    )


def test_a_refusal_takes_the_same_time_whether_or_not_the_key_exists(
    unhurried: Principals, place: Any, account: Account, issue: Issue
) -> None:
    # In use, stored but unused, and unknown, in turn, so that what else the machine does falls on each alike.
    # Welch's t at 4.5 is the usual bound of a leak test; the fast half of the samples carries the signal.
    in_use, idle = issue(), issue()
    unhurried.authenticate("apikey", in_use.password, PEER)
    offers = [forged(in_use, place.entropy), forged(idle, place.entropy), unknown(place, account)]

    samples: list[list[int]] = [[], [], []]
    for turn in range(500):
        for which in (turn % 3, (turn + 1) % 3, (turn + 2) % 3):
            before = time.perf_counter_ns()
            unhurried.authenticate("apikey", offers[which], PEER)
            samples[which].append(time.perf_counter_ns() - before)
    fast = [sorted(each)[: len(each) // 2] for each in samples]

    means = [fmean(each) for each in fast]
    assert max(means) - min(means) < 0.1 * min(means), means
    assert abs(welch_t(samples[0], samples[2])) < 4.5
    assert abs(welch_t(samples[1], samples[2])) < 4.5


def test_a_refusal_asks_the_store_what_the_first_use_of_a_right_secret_asks(
    unhurried: Principals, control_plane: ControlPlane, place: Any, account: Account, issue: Issue
) -> None:
    """What makes their times equal; the times themselves: ``python -m benchmarks.auth_timing``."""
    in_use, idle, unused = issue(), issue(), issue()
    unhurried.authenticate("apikey", in_use.password, PEER)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    def statements(password: Secret[bytes]) -> list[str]:
        asked.clear()
        unhurried.authenticate("apikey", password, PEER)
        return list(asked)

    reads = control_plane.database._engine.reads
    event.listen(reads, "before_cursor_execute", note)
    try:
        of_right = statements(unused.password)
        of_refused = [
            statements(each)
            for each in (forged(in_use, place.entropy), forged(idle, place.entropy), unknown(place, account))
        ]
    finally:
        event.remove(reads, "before_cursor_execute", note)

    assert len(of_right) > 2
    assert of_refused == [of_right] * 3


def welch_t(one: list[int], other: list[int]) -> float:
    return (fmean(one) - fmean(other)) / (variance(one) / len(one) + variance(other) / len(other)) ** 0.5


def test_another_scope_than_to_send_may_be_asked_for(principals: Principals, issue: Issue) -> None:
    issued = issue(scopes=frozenset({"api_keys.read"}))

    principal = principals.authenticate("apikey", issued.password, PEER, scope="api_keys.read")

    assert isinstance(principal, Principal)
    assert principals.recheck(principal, PEER, scope="api_keys.read") == principal
    assert principals.recheck(principal, PEER, scope=None) == principal
    assert reason(principals.recheck(principal, PEER)) is AccessDenial.SCOPE_MISSING
    assert reason(principals.authenticate("apikey", issued.password, PEER)) is AccessDenial.SCOPE_MISSING


# ---------------------------------------------------------------- subusers


@pytest.fixture
def subuser(control_plane: ControlPlane, account: Account) -> Account:
    return lifecycle.create(
        control_plane.accounts, "news", now=control_plane.clock.now(), entropy=control_plane.entropy, parent=account
    )


def disable(plane: ControlPlane, parent: Account, subuser: Account) -> None:
    plane.accounts.change_subuser(parent.id, subuser.id, lambda it: replace(it, disabled_at=plane.clock.now()))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda plane, parent, _: lifecycle.move(plane.accounts, parent, REVIEW), AccessDenial.ACCOUNT_UNDER_REVIEW),
        (lambda plane, parent, _: lifecycle.move(plane.accounts, parent, SUSPENDED), AccessDenial.ACCOUNT_NOT_ACTIVE),
        (lambda plane, parent, _: lifecycle.move(plane.accounts, parent, CLOSED), AccessDenial.ACCOUNT_NOT_ACTIVE),
        (lambda plane, _, child: lifecycle.move(plane.accounts, child, REVIEW), AccessDenial.ACCOUNT_UNDER_REVIEW),
        (lambda plane, _, child: lifecycle.move(plane.accounts, child, SUSPENDED), AccessDenial.ACCOUNT_NOT_ACTIVE),
        (disable, AccessDenial.ACCOUNT_NOT_ACTIVE),
    ],
    ids=["parent reviewed", "parent suspended", "parent closed", "reviewed", "suspended", "disabled by its parent"],
)
def test_a_subusers_right_is_gone_at_once_in_every_process(
    principals: Principals,
    other_process: ControlPlane,
    account: Account,
    subuser: Account,
    issue: Issue,
    change: Callable[..., object],
    expected: AccessDenial,
) -> None:
    issued = issue(account_id=subuser.id)
    principal = principals.authenticate("apikey", issued.password, PEER)
    assert isinstance(principal, Principal)
    assert principal.account_id == subuser.id

    change(other_process, account, subuser)

    assert reason(principals.recheck(principal, PEER)) is expected
    assert reason(principals.authenticate("apikey", issued.password, PEER)) is expected


def test_a_parent_goes_on_when_its_subuser_is_stopped(
    principals: Principals, other_process: ControlPlane, subuser: Account, issue: Issue
) -> None:
    principal = principals.authenticate("apikey", issue().password, PEER)
    assert isinstance(principal, Principal)

    lifecycle.move(other_process.accounts, subuser, CLOSED)

    assert principals.recheck(principal, PEER) == principal


def test_used_up_credits_are_told_to_the_holder_of_the_key_only(
    principals: Principals, other_process: ControlPlane, place: Any, account: Account, subuser: Account, issue: Issue
) -> None:
    issued = issue(account_id=subuser.id)
    now = other_process.clock.now()
    other_process.accounts.change_allocation(account.id, lambda _: allocate(None, 1, None, now))
    principal = principals.authenticate("apikey", issued.password, PEER)
    assert isinstance(principal, Principal)
    assert principal.is_metered

    assert principals.meter.spend(subuser.id, 1)

    assert reason(principals.recheck(principal, PEER)) is AccessDenial.CREDITS_EXCEEDED
    assert reason(principals.authenticate("apikey", issued.password, PEER)) is AccessDenial.CREDITS_EXCEEDED
    assert principals.recheck(principal, PEER, scope=None) == principal
    assert reason(principals.authenticate("apikey", forged(issued, place.entropy), PEER)) is AccessDenial.KEY_NOT_VALID
