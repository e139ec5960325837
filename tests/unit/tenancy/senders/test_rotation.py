from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, DomainState, KeyState
from gatepost.tenancy.senders.rotation import (
    RotationPolicy,
    Step,
    ask_for_rotation,
    empty,
    idle_selector,
    is_rotating,
    next_step,
    succeed,
    switch,
)

BORN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = RotationPolicy(rotate_after=180 * DAY, retire_for=14 * DAY)
RSA, ED25519 = SigningAlgorithm.RSA_SHA256, SigningAlgorithm.ED25519_SHA256
NEXT, ACTIVE, RETIRED, EMPTIED = KeyState


def key(selector: str, state: KeyState = ACTIVE, *, since: datetime = BORN, algorithm=RSA) -> DKIMKey:
    return DKIMKey(
        selector=selector,
        algorithm=algorithm,
        sealed_private_key=b"" if state is EMPTIED else b"sealed",
        public_key="" if state is EMPTIED else f"key of {selector}",
        created_at=BORN,
        state=state,
        changed_at=since,
    )


def claim(*keys: DKIMKey, label: str | None = "abc") -> AuthenticatedDomain:
    return AuthenticatedDomain(
        name="example.com",
        account_id=AccountId("acc_a"),
        state=DomainState.VERIFIED,
        dkim_keys=keys,
        created_at=BORN,
        label=label,
    )


FRESH = claim(key("s1"), key("s2", EMPTIED))


@pytest.mark.parametrize(
    ("held", "age", "asked", "step"),
    [
        pytest.param(FRESH, 179 * DAY, False, None, id="too young"),
        pytest.param(FRESH, 180 * DAY, False, (Step.PUBLISH, "s1"), id="due"),
        pytest.param(FRESH, DAY, True, (Step.PUBLISH, "s1"), id="asked for"),
        pytest.param(claim(key("s1"), key("s2", NEXT)), timedelta(seconds=59), False, None, id="just published"),
        pytest.param(claim(key("s1"), key("s2", NEXT)), POLICY.settle_for, False, (Step.CHECK, "s2"), id="published"),
        pytest.param(claim(key("s1"), key("s2", RETIRED)), 13 * DAY, True, None, id="no selector is idle"),
        pytest.param(claim(key("s1"), key("s2", RETIRED)), 14 * DAY, True, (Step.EMPTY, "s2"), id="retired for long"),
        pytest.param(claim(key("m1"), label=None), 999 * DAY, False, None, id="manual: not by itself"),
        pytest.param(claim(key("m1"), label=None), DAY, True, (Step.PUBLISH, "m1"), id="manual: any time"),
        pytest.param(claim(key("m1"), key("m2", NEXT), label=None), DAY, True, (Step.CHECK, "m2"), id="manual: wait"),
        pytest.param(claim(key("s1", EMPTIED), key("s2", EMPTIED)), DAY, True, None, id="nothing signs"),
    ],
)
def test_the_next_step(held, age, asked, step):
    held = ask_for_rotation(held, BORN + age, is_urgent=False) if asked else held

    found = next_step(held, POLICY, now=BORN + age)

    assert (found and (found[0], found[1].selector)) == step


def test_without_a_schedule_nothing_happens_by_itself():
    never = RotationPolicy(rotate_after=None, retire_for=14 * DAY)

    assert next_step(FRESH, never, now=BORN + 10_000 * DAY) is None


@pytest.mark.parametrize(
    ("held", "of", "selector"),
    [
        (FRESH, "s1", "s2"),
        (claim(key("s1"), key("s2", RETIRED)), "s1", None),
        (claim(key("m1"), label=None), "m1", "m2"),
        (claim(key("m1"), key("m2", RETIRED), key("m3", EMPTIED), label=None), "m1", "m4"),
        (claim(key("gpxyzr"), label=None), "gpxyzr", "gpxyzr2"),
    ],
)
def test_the_selector_for_a_successor(held, of, selector):
    (present,) = (each for each in held.dkim_keys if each.selector == of)

    assert idle_selector(held, present) == selector


def test_a_whole_rotation():
    published = replace(FRESH, dkim_keys=succeed(FRESH, key("s2"), now=BORN + DAY))
    assert [(each.selector, each.state) for each in published.dkim_keys] == [("s1", ACTIVE), ("s2", NEXT)]

    switched = replace(published, dkim_keys=switch(published, published.dkim_keys[1], now=BORN + 2 * DAY))
    assert [(each.selector, each.state) for each in switched.dkim_keys] == [("s1", RETIRED), ("s2", ACTIVE)]

    done = replace(switched, dkim_keys=empty(switched, switched.dkim_keys[0], now=BORN + 16 * DAY))
    assert [(each.selector, each.state) for each in done.dkim_keys] == [("s1", EMPTIED), ("s2", ACTIVE)]
    assert (done.dkim_keys[0].sealed_private_key, done.dkim_keys[0].public_key) == (b"", "")
    assert done.dkim_keys[1].since == BORN + 2 * DAY


def test_a_request_is_fulfilled_once_the_keys_are_younger_than_it():
    asked = ask_for_rotation(FRESH, BORN + DAY, is_urgent=False)
    assert is_rotating(asked)
    assert not is_rotating(FRESH)

    successor = replace(key("s2"), created_at=BORN + 2 * DAY)
    published = replace(asked, dkim_keys=succeed(asked, successor, now=BORN + 2 * DAY))
    assert is_rotating(published)
    switched = replace(published, dkim_keys=switch(published, published.dkim_keys[1], now=BORN + 3 * DAY))

    assert not is_rotating(switched)
    assert next_step(switched, POLICY, now=BORN + 4 * DAY) is None


def test_in_an_emergency_old_keys_end_at_once_and_make_room():
    held = claim(key("s1"), key("s2", RETIRED))
    asked = ask_for_rotation(held, BORN + DAY, is_urgent=True)

    assert next_step(asked, POLICY, now=BORN + DAY) == (Step.EMPTY, held.dkim_keys[1])

    room = replace(asked, dkim_keys=empty(asked, held.dkim_keys[1], now=BORN + DAY))
    assert next_step(room, POLICY, now=BORN + DAY) == (Step.PUBLISH, held.dkim_keys[0])
    successor = replace(key("s2"), created_at=BORN + 2 * DAY)
    published = replace(room, dkim_keys=succeed(room, successor, now=BORN + 2 * DAY))
    switched = replace(published, dkim_keys=switch(published, published.dkim_keys[1], now=BORN + 3 * DAY))
    assert next_step(switched, POLICY, now=BORN + 3 * DAY) == (Step.EMPTY, switched.dkim_keys[0])


def test_only_the_key_of_the_same_algorithm_is_retired_and_rsa_signs_first():
    held = claim(key("r1"), key("e1", algorithm=ED25519), key("r2", NEXT), label=None)

    switched = switch(held, held.dkim_keys[2], now=BORN + DAY)

    assert [(each.selector, each.state) for each in switched] == [("r1", RETIRED), ("r2", ACTIVE), ("e1", ACTIVE)]


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans(), st.booleans()), max_size=60))
def test_whatever_happens_something_signs_and_what_signed_stays_published(acts):
    """Days pass, rotations are asked for, checks succeed or fail: no key vanishes before its time."""
    held, now, retired = FRESH, BORN, {}
    for days, asked, is_seen in acts:
        now += days * DAY
        held = ask_for_rotation(held, now, is_urgent=False) if asked else held
        match next_step(held, POLICY, now=now):
            case (Step.PUBLISH, present):
                successor = replace(key(idle_selector(held, present)), created_at=now)
                held = replace(held, dkim_keys=succeed(held, successor, now=now))
            case (Step.CHECK, successor) if is_seen:
                retired[held.signing_keys[0].selector] = now
                held = replace(held, dkim_keys=switch(held, successor, now=now))
            case (Step.EMPTY, gone):
                assert now - retired[gone.selector] >= POLICY.retire_for
                held = replace(held, dkim_keys=empty(held, gone, now=now))

        assert len(held.signing_keys) == 1
        assert sorted(each.selector for each in held.dkim_keys) == ["s1", "s2"]
