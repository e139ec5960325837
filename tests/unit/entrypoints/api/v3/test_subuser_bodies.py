import pytest

from gatepost.entrypoints.api.v3.subuser_bodies import MAX_LISTED, number_of, read_page
from gatepost.primitives.ids import AccountId


@pytest.mark.parametrize(
    ("parameters", "page"),
    [
        ({}, (MAX_LISTED, 0)),
        ({"limit": "2", "offset": "1"}, (2, 1)),
        ({"limit": "100000"}, (MAX_LISTED, 0)),
        ({"limit": ""}, (MAX_LISTED, 0)),
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "1e9"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"offset": "\u0663"}, "offset"),
        ({"offset": "x"}, "offset"),
    ],
)
def test_a_page_is_read_or_its_fault_named(parameters, page):
    assert read_page(parameters) == page


def test_an_account_has_a_number_that_every_json_reader_holds_exactly():
    numbers = {number_of(AccountId(f"acc_{letter}{'A' * 15}")) for letter in "ABCDabcd-_"}

    assert len(numbers) == 10
    assert all(0 <= number < 2**53 for number in numbers)
    assert number_of(AccountId("acc_none")) != number_of(AccountId("acc_nobody"))
