import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.primitives.errors import Misconfigured, Permanent
from gatepost.system.keyring import Keyring, create_keyring, load_keyring

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


class Counter:
    """Entropy that never repeats."""

    def __init__(self) -> None:
        self.count = 0

    def draw(self, size: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(size, "big")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring"


def keyring(*keys: bytes) -> Keyring:
    return Keyring(keys or (OLD,), Counter())


@given(plain=st.binary(max_size=200), context=st.text(max_size=20))
def test_what_is_sealed_is_unsealed_in_its_context(plain: bytes, context: str) -> None:
    held = keyring()

    sealed = held.seal(plain, context=context)

    assert len(sealed) == 4 + 12 + len(plain) + 16
    assert held.unseal(sealed, context=context) == plain


def test_the_same_thing_never_seals_to_the_same_octets() -> None:
    held = keyring()

    assert held.seal(b"plain", context="c") != held.seal(b"plain", context="c")


def test_another_context_does_not_unseal() -> None:
    held = keyring()

    with pytest.raises(Permanent, match="value of acc_2"):
        held.unseal(held.seal(b"plain", context="acc_1/example.com"), context="acc_2/example.com")


@given(position=st.integers(4, 36), bit=st.integers(0, 7))
def test_a_changed_bit_does_not_unseal(position: int, bit: int) -> None:
    held = keyring()
    sealed = bytearray(held.seal(b"plain", context="c"))
    sealed[position] ^= 1 << bit

    with pytest.raises(Permanent):
        held.unseal(bytes(sealed), context="c")


@pytest.mark.parametrize("size", range(4, 32))
def test_a_truncated_value_does_not_unseal(size: int) -> None:
    held = keyring()

    with pytest.raises(Permanent):
        held.unseal(held.seal(b"plain", context="c")[:size], context="c")


def test_a_key_that_is_missing_is_named() -> None:
    sealed = keyring(NEW).seal(b"plain", context="c")

    with pytest.raises(Misconfigured, match=f"{sealed[:4].hex()} that sealed c is not in the keyring"):
        keyring(OLD).unseal(sealed, context="c")


def test_a_newer_key_seals_and_the_older_still_unseals() -> None:
    before, after = keyring(OLD), keyring(OLD, NEW)
    sealed = before.seal(b"plain", context="c")

    assert after.unseal(sealed, context="c") == b"plain"
    with pytest.raises(Misconfigured):
        before.unseal(after.seal(b"plain", context="c"), context="c")


def test_a_newer_key_changes_no_hash() -> None:
    assert keyring(OLD, NEW).hash_secret(b"secret") == keyring(OLD).hash_secret(b"secret")
    assert keyring(NEW).hash_secret(b"secret") != keyring(OLD).hash_secret(b"secret")
    assert len(keyring().hash_secret(b"secret")) == 32


def test_a_keyring_is_made_for_its_owner_alone_and_read_back(path: Path) -> None:
    create_keyring(path, Counter())

    held = load_keyring(path, Counter())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert held.hash_secret(b"secret") == keyring((1).to_bytes(32, "big")).hash_secret(b"secret")


def test_a_keyring_is_never_overwritten(path: Path) -> None:
    create_keyring(path, Counter())
    before = path.read_bytes()

    with pytest.raises(Misconfigured, match="never overwritten"):
        create_keyring(path, Counter())

    assert path.read_bytes() == before


def test_a_line_added_by_hand_is_the_newest_key(path: Path, tmp_path: Path) -> None:
    create_keyring(path, Counter())
    entropy = Counter()
    entropy.count = 7
    create_keyring(tmp_path / "another", entropy)

    with path.open("ab") as file:
        file.write(b"\n" + (tmp_path / "another").read_bytes())

    sealed = load_keyring(path, Counter()).seal(b"plain", context="c")
    assert load_keyring(tmp_path / "another", Counter()).unseal(sealed, context="c") == b"plain"


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no key"),
        (b"# only words\n\n", "holds no key"),
        (b"hunter2\n", "line 1: not `<id> <key>`"),
        (b"#\n00000000 hunter2 x\n", "line 2: not `<id> <key>`"),
        (b"00000000 h\n", "line 1: not `<id> <key>`"),
        (b"00000000 aHVudGVyMg\n", "line 1: the key has 7 bytes, not 32"),
        (b"00000000 " + b"A" * 43 + b"\n", "line 1: the id is not that of the key"),
        (b"\xff\xfe\x00", "line 1: not"),
    ],
)
def test_a_damaged_keyring_is_explained_without_repeating_it(path: Path, content: bytes, message: str) -> None:
    write(path, content)

    with pytest.raises(Misconfigured, match=message) as caught:
        load_keyring(path, Counter())

    assert "hunter2" not in str(caught.value)
    assert "aHVudGVyMg" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_keyring_that_others_can_reach_is_refused(path: Path, mode: int) -> None:
    create_keyring(path, Counter())
    path.chmod(mode)

    with pytest.raises(Misconfigured, match=f"mode {mode:04o}.*chmod 600"):
        load_keyring(path, Counter())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_keyring_of_another_user_is_refused(path: Path) -> None:
    create_keyring(path, Counter())
    os.chown(path, 12345, -1)

    with pytest.raises(Misconfigured, match=r"belongs to #12345: give this command as that user \(`sudo -u #12345"):
        load_keyring(path, Counter())


def test_a_missing_keyring_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(Misconfigured, match="gatepost init"):
        load_keyring(path, Counter())


def test_a_keyring_that_cannot_be_read_or_written_is_explained(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="Is a directory"):
        load_keyring(tmp_path, Counter())
    with pytest.raises(Misconfigured, match="No such file"):
        create_keyring(tmp_path / "nowhere" / "keyring", Counter())
