from datetime import UTC, datetime

import pytest

from gatepost.primitives.ids import AccountId, TeammateId
from gatepost.tenancy.accounts.teammate import (
    PersonRefused,
    Role,
    Teammate,
    require_email,
    require_name,
    require_profile,
    require_username,
)


@pytest.mark.parametrize(
    ("text", "kept"), [(" Ann@Example.COM ", "ann@example.com"), ("a+b@x.example", "a+b@x.example")]
)
def test_an_address_is_kept_in_one_spelling(text, kept):
    assert require_email(text) == kept


@pytest.mark.parametrize(
    "text",
    ["", "ann", "ann@", "@x.example", "a@b\r\nBcc: c@d", "ann@[192.0.2.1]", "ä@x.example", "a" * 250 + "@x.example"],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(PersonRefused, match="email"):
        require_email(text)


@pytest.mark.parametrize("text", ["", "an", "ann@x.example", "-ann", "a b", "a/b", "ännchen", "a" * 65, "pending"])
def test_a_user_name_that_could_be_taken_for_something_else_is_refused(text):
    with pytest.raises(PersonRefused, match="username"):
        require_username(text)


def test_a_user_name_is_kept_in_lower_case():
    assert require_username(" Ann.Lee ") == "ann.lee"


@pytest.mark.parametrize("text", ["a\nb", "x" * 101, "\u202eevil"])
def test_a_name_that_cannot_be_shown_is_refused(text):
    with pytest.raises(PersonRefused, match="first_name"):
        require_name(text, "first_name")


def test_a_profile_keeps_what_is_given():
    assert require_profile({"city": " Bern ", "state": ""}) == {"city": "Bern"}
    with pytest.raises(PersonRefused, match="city"):
        require_profile({"city": "x" * 256})


def test_a_person_has_a_number_that_every_language_can_hold():
    person = Teammate(
        id=TeammateId("per_1"), account_id=AccountId("acc_1"), email="a@x.example", username="ann", role=Role.ADMIN,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip

    assert 0 < person.number < 2**53
