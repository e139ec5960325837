"""Organisational domains by the public suffix list."""

import pytest

from gatepost.tenancy.senders.public_suffix import PublicSuffixes

SUFFIXES = PublicSuffixes()


@pytest.mark.parametrize(
    ("name", "organizational"),
    [
        pytest.param("example.com", "example.com", id="itself"),
        pytest.param("a.b.example.com", "example.com", id="below"),
        pytest.param("a.example.co.uk", "example.co.uk", id="suffix of two labels"),
        pytest.param("co.uk", None, id="public suffix"),
        pytest.param("com", None, id="top level"),
        pytest.param("a.someone.github.io", "someone.github.io", id="private part of the list"),
        pytest.param("github.io", None, id="public suffix of the private part"),
        pytest.param("a.example.test", "example.test", id="top level the list does not know"),
        pytest.param("localhost", None, id="single label"),
        pytest.param("a.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai", id="A-labels"),
    ],
)
def test_organizational_domain_lies_directly_below_a_public_suffix(name, organizational):
    assert SUFFIXES.find_organizational_domain(name) == organizational
