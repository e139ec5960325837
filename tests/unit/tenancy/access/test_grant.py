from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.primitives.decision import Deny
from gatepost.tenancy.access import ip_allowlist
from gatepost.tenancy.access.grant import Grant, Widening, narrow

SOON = datetime(2026, 6, 1, tzinfo=UTC)


def grant(*scopes: str, networks: tuple[str, ...] = (), authors: tuple[str, ...] = (), until: Any = None) -> Grant:
    return Grant(
        scopes=frozenset(scopes),
        allowed_networks=tuple(ip_network(text) for text in networks),
        allowed_authors=authors,
        expires_at=until,
    )


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        (grant("a", "b"), grant("a", "b")),
        (grant("a", "b"), grant("a")),
        (grant("a"), grant()),
        (grant(), grant(networks=("10.0.0.0/8",))),
        (grant(networks=("10.0.0.0/8",)), grant(networks=("10.1.0.0/16", "10.2.3.4"))),
        (grant(networks=("2001:db8::/32", "10.0.0.0/8")), grant(networks=("2001:db8:1::/48",))),
        (grant(), grant(authors=("example.com",))),
        (grant(authors=("example.com",)), grant(authors=("news@example.com",))),
        (grant(authors=("a@example.com", "example.net")), grant(authors=("a@example.com",))),
        (grant(), grant(until=SOON)),
        (grant(until=SOON), grant(until=SOON - timedelta(days=1))),
    ],
    ids=lambda value: "",
)
def test_less_is_granted(current: Grant, wanted: Grant) -> None:
    assert narrow(current, wanted) == wanted


@pytest.mark.parametrize(
    ("current", "wanted", "widening", "detail"),
    [
        (grant("a"), grant("a", "c", "b"), Widening.SCOPES, "b, c"),
        (grant(networks=("10.0.0.0/8",)), grant(), Widening.NETWORKS, "any"),
        (grant(networks=("10.1.0.0/16",)), grant(networks=("10.0.0.0/8",)), Widening.NETWORKS, "10.0.0.0/8"),
        (grant(networks=("10.0.0.0/8",)), grant(networks=("::/0",)), Widening.NETWORKS, "::/0"),
        (grant(networks=("::/0",)), grant(networks=("10.0.0.0/8",)), Widening.NETWORKS, "10.0.0.0/8"),
        (grant(authors=("example.com",)), grant(), Widening.AUTHORS, "any"),
        (grant(authors=("a@example.com",)), grant(authors=("example.com",)), Widening.AUTHORS, "example.com"),
        (grant(authors=("a@example.com",)), grant(authors=("b@example.com",)), Widening.AUTHORS, "b@example.com"),
        (grant(authors=("example.com",)), grant(authors=("a@x.example.com",)), Widening.AUTHORS, "a@x.example.com"),
        (grant(authors=("example.com",)), grant(authors=("x.example.com",)), Widening.AUTHORS, "x.example.com"),
        (grant(until=SOON), grant(), Widening.EXPIRY, "never"),
        (grant(until=SOON), grant(until=SOON + timedelta(seconds=1)), Widening.EXPIRY, "2026-06-01T00:00:01+00:00"),
    ],
    ids=lambda value: "",
)
def test_more_is_refused_and_named(current: Grant, wanted: Grant, widening: Widening, detail: str) -> None:
    assert narrow(current, wanted) == Deny(widening, detail)


networks = st.one_of(
    st.builds(
        lambda bits, length: ip_network((bits, length), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)
    ),
    st.builds(
        lambda bits, length: ip_network((bits, length), strict=False),
        st.integers(2**127, 2**128 - 1),
        st.integers(0, 128),
    ),
)
authors = st.sampled_from(["a.test", "b.test", "x.a.test", "i@a.test", "j@a.test", "i@b.test", "i@x.a.test"])
grants = st.builds(
    Grant,
    scopes=st.frozensets(st.sampled_from("abcd")),
    allowed_networks=st.lists(networks, max_size=3).map(tuple),
    allowed_authors=st.lists(authors, max_size=3).map(tuple),
    expires_at=st.none() | st.integers(0, 4).map(lambda days: SOON + timedelta(days=days)),
)
addresses = st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(2**127, 2**128 - 1).map(IPv6Address)


def permits(held: Grant, scope: str, peer: Any, author: str, at: datetime) -> bool:
    """What a grant means, said again and plainly."""
    return (
        scope in held.scopes
        and (not held.allowed_networks or ip_allowlist.permits(held.allowed_networks, peer))
        and (not held.allowed_authors or author in held.allowed_authors or author.split("@")[1] in held.allowed_authors)
        and (held.expires_at is None or at < held.expires_at)
    )


@given(
    current=grants,
    wanted=grants,
    scope=st.sampled_from("abcd"),
    peer=addresses,
    author=authors.filter(lambda text: "@" in text),
    day=st.integers(0, 5),
    data=st.data(),
)
def test_nothing_is_ever_permitted_that_was_not_before(
    current: Grant, wanted: Grant, scope: str, peer: Any, author: str, day: int, data: st.DataObject
) -> None:
    if wanted.allowed_networks:  # a random address is rarely in a random network
        inside = data.draw(st.sampled_from(wanted.allowed_networks))
        peer = data.draw(st.sampled_from([peer, inside[0], inside[-1]]))
    at = SOON + timedelta(days=day)

    narrowed = narrow(current, wanted)

    if isinstance(narrowed, Grant) and permits(narrowed, scope, peer, author, at):
        assert permits(current, scope, peer, author, at)


@given(current=grants)
def test_a_grant_may_stay_as_it_is(current: Grant) -> None:
    assert narrow(current, current) == current
