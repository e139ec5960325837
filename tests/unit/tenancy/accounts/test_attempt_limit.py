from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address

import pytest

from gatepost.tenancy.accounts.attempt_limit import PER_ADDRESS, PER_USER, AttemptKind, count_as, network_of


def hashed(octets):
    return sha256(octets).digest()


def subjects(user, network, *, is_known=False, kind=AttemptKind.PASSWORD):
    return [each.subject for each in count_as(kind, user, network, is_known=is_known, keyed_hash=hashed)]


def test_the_numbers_are_the_anchors():
    minutes, hour, day = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
    numbers = {kind: [(window.count, window.time) for window in windows] for kind, windows in PER_USER.items()}

    assert numbers == {
        AttemptKind.PASSWORD: [(10, minutes)],
        AttemptKind.FACTOR: [(5, minutes), (20, hour), (50, day)],
        AttemptKind.RESET: [(5, day)],
        AttemptKind.TOKEN: [],
        AttemptKind.SENDER_LETTER: [(5, day)],
        AttemptKind.NOTICE: [(5, hour), (10, day)],
        AttemptKind.LIMIT_NOTED: [(1, day)],
    }
    assert [(window.count, window.time) for window in PER_ADDRESS[AttemptKind.PASSWORD]] == [(10, minutes)]


def test_strangers_share_a_count_and_a_known_network_has_its_own():
    stranger, other = subjects("ann", "192.0.2.1")[0], subjects("ann", "192.0.2.2")[0]
    known = subjects("ann", "192.0.2.1", is_known=True)[0]

    assert stranger == other != known


def test_names_that_people_type_are_not_kept():
    assert all("ann" not in subject and "192" not in subject for subject in subjects("ann", "192.0.2.1"))


def test_a_guess_at_nobody_counts_against_its_network_alone():
    assert len(subjects("", "192.0.2.1", kind=AttemptKind.TOKEN)) == 1


@pytest.mark.parametrize(
    ("peer", "network"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64")],
)
def test_a_network_is_what_one_household_has(peer, network):
    assert network_of(ip_address(peer)) == network
