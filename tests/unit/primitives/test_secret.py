import copy
import pickle

import pytest

from gatepost.primitives.secret import Secret


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>40}".format, "%s".__mod__, ascii], ids=range(6))
def test_no_way_of_printing_shows_the_value(show):
    assert "hunter2" not in show(Secret("hunter2"))
    assert "hunter2" not in repr({"a": [Secret(b"hunter2")]})


def test_reveal_gives_the_value():
    assert Secret(b"x").reveal() == b"x"


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (Secret("a"), Secret("a"), True),
        (Secret("a"), Secret("b"), False),
        (Secret("a"), Secret("aa"), False),
        (Secret("é"), Secret("é".encode()), True),
        (Secret("\udce9"), Secret("x"), False),
    ],
    ids=range(5),
)
def test_secrets_are_equal_when_their_octets_are(left, right, equal):
    assert (left == right) is equal


def test_a_secret_is_not_equal_to_its_value():
    assert Secret("a") != "a"


def test_a_secret_cannot_be_hashed():
    with pytest.raises(TypeError, match="not hashable"):
        hash(Secret("a"))


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, vars], ids=["pickle", "copy", "vars"])
def test_a_secret_cannot_be_taken_along(leak):
    with pytest.raises(TypeError):
        leak(Secret("a"))
