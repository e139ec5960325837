import pytest

from gatepost.primitives.errors import Misconfigured, Permanent, RelayError, Transient


@pytest.mark.parametrize("kind", [Transient, Permanent, Misconfigured])
def test_every_error_of_ours_can_be_caught_as_one(kind):
    with pytest.raises(RelayError, match="why"):
        raise kind("why")


def test_the_kinds_are_apart():
    kinds = (Transient, Permanent, Misconfigured)

    assert [(a, b) for a in kinds for b in kinds if a is not b and issubclass(a, b)] == []
