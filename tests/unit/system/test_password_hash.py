import asyncio

import pytest

from gatepost.primitives.errors import Transient
from gatepost.primitives.secret import Secret
from gatepost.system.entropy import SystemEntropy
from gatepost.system.password_hash import Argon2PasswordHash


@pytest.fixture
def hasher():
    made = Argon2PasswordHash(SystemEntropy(), memory_kib=8, passes=1)
    yield made
    made.close()


async def test_a_password_fits_its_own_hash_alone(hasher):
    encoded = await hasher.hash(Secret("tin-lantern-oboe-47"))

    assert encoded.startswith("$argon2id$v=19$")
    assert await hasher.verify(encoded, Secret("tin-lantern-oboe-47"))
    assert not await hasher.verify(encoded, Secret("tin-lantern-oboe-48"))
    assert encoded != await hasher.hash(Secret("tin-lantern-oboe-47"))


async def test_nobodys_password_is_never_right_and_is_calculated_all_the_same(hasher, monkeypatch):
    verified = []
    real = type(hasher._hasher).verify
    monkeypatch.setattr(type(hasher._hasher), "verify", lambda *given: verified.append(1) or real(*given))

    assert not await hasher.verify(None, Secret(""))
    assert not await hasher.verify("not a hash", Secret("x"))
    assert verified == [1, 1]


async def test_what_was_typed_on_another_keyboard_fits(hasher):
    encoded = await hasher.hash(Secret("Ångström-fine"))

    assert await hasher.verify(encoded, Secret("A\u030angstro\u0308m-ﬁne"))


async def test_more_than_a_few_at_a_time_are_told_to_come_again(hasher):
    waiting = [asyncio.ensure_future(hasher.verify(None, Secret("x"))) for _ in range(30)]

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [isinstance(each, Transient) for each in outcomes].count(True) == 12


def test_the_cost_is_what_it_is_meant_to_be():
    hasher = Argon2PasswordHash(SystemEntropy())._hasher

    assert (hasher.memory_cost, hasher.time_cost, hasher.parallelism, hasher.hash_len) == (65536, 3, 1, 32)
