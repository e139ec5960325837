import pytest

from gatepost.primitives.ids import TeammateId
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.accounts.recovery_code import hash_code, make_codes, read_code

ANN, BOB = TeammateId("per_ann"), TeammateId("per_bob")


def test_ten_codes_are_made_and_none_twice():
    codes = [code.reveal() for code in make_codes(SystemEntropy())]

    assert len(set(codes)) == 10
    assert all(len(code.split("-")) == 4 and len(read_code(code)) == 24 for code in codes)


@pytest.mark.parametrize("spelling", [str.upper, lambda code: code.replace("-", " "), lambda code: f" {code}\n"])
def test_a_code_is_read_however_it_was_written_down(spelling):
    code = make_codes(SystemEntropy())[0].reveal()

    assert read_code(spelling(code)) == code.replace("-", "")


@pytest.mark.parametrize("text", ["", "123456", "a" * 23, "a" * 25, "0" * 24, "é" * 24])
def test_what_is_no_code_is_not_looked_for(text):
    assert read_code(text) is None


def test_a_code_is_its_persons_own():
    assert hash_code(ANN, "a" * 24, bytes) != hash_code(BOB, "a" * 24, bytes)
