import pytest

from gatepost.tenancy.accounts.password import PasswordDenial, judge, normalize

COMMON = frozenset({"password", "monkey", "dragon", "correcthorsebatterystaple"})
OWN = ("ann@example.com", "ann.lee", "Ann", "Leonhardt", "acme-mail")


@pytest.mark.parametrize(
    "password",
    [
        "tin-lantern-oboe-47", "correct horse battery staple", "kqzjvxwphmtr",
        "夜のコーヒーは苦いけど好き", "8!2#9$4%1^7&", "x" * 5 + " my very own long sentence" * 39,
        "passwords are hard to find", "Leonhardt likes seven blue tins",
    ],
)  # fmt: skip
def test_a_long_password_that_nobody_tries_first_is_taken(password):
    assert judge(password, own_words=OWN, common=COMMON) is None


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", PasswordDenial.TOO_SHORT),
        ("elevenchars", PasswordDenial.TOO_SHORT),
        ("x" * 1025, PasswordDenial.TOO_LONG),
        ("CorrectHorseBatteryStaple", PasswordDenial.COMMON),
        ("correcthorsebatterystaple2026!", PasswordDenial.COMMON),
        ("Password1234", PasswordDenial.COMMON),
        ("P@ssw0rd!!!!", PasswordDenial.COMMON),
        ("!!!!2026monkey", PasswordDenial.COMMON),
        ("monkeymonkey", PasswordDenial.COMMON),
        ("monkeydragon", PasswordDenial.COMMON),
        ("abcabcabcabc", PasswordDenial.REPEATED),
        ("111111111111", PasswordDenial.REPEATED),
        ("kqzjvxkqzjvxkqz", PasswordDenial.REPEATED),
        ("gatepost2026!", PasswordDenial.OWN_WORD),
        ("G4tep0stG4tep0st", PasswordDenial.OWN_WORD),
        ("acme-mail-2026", PasswordDenial.OWN_WORD),
        ("ann@example.com", PasswordDenial.OWN_WORD),
        ("leonhardt1234567", PasswordDenial.OWN_WORD),
    ],
)
def test_what_is_tried_first_is_refused_with_the_reason(password, reason):
    assert judge(password, own_words=OWN, common=COMMON) is reason


def test_no_kind_of_character_is_asked_for():
    assert judge("onlysmallletterz", own_words=(), common=COMMON) is None


def test_each_keyboard_types_the_same_password():
    assert normalize("A\u030angstro\u0308m ﬁne") == normalize("Ångström fine")
