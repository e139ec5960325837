import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatepost.tenancy.senders.look_alike import LookAlikes, skeleton
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

PROTECTED = ["mail.northwind.com", "acme.co.uk", "ibm.com"]


@pytest.fixture(scope="module")
def look_alikes() -> LookAlikes:
    return LookAlikes(PublicSuffixes())


def a_label(text: str) -> str:
    return idna.encode(text).decode("ascii")


@pytest.mark.parametrize(
    ("name", "taken_for"),
    [
        pytest.param("northwind.net", "mail.northwind.com", id="another suffix"),
        pytest.param("login.northwind.net", "mail.northwind.com", id="below another suffix"),
        pytest.param("n0rthwind.com", "mail.northwind.com", id="zero for o"),
        pytest.param("northvvind.com", "mail.northwind.com", id="two v for w"),
        pytest.param("north-wind.com", "mail.northwind.com", id="a hyphen"),
        pytest.param("norhtwind.com", "mail.northwind.com", id="swapped letters"),
        pytest.param("nortwind.com", "mail.northwind.com", id="a letter less"),
        pytest.param("northwinds.com", "mail.northwind.com", id="a letter more"),
        pytest.param("nodthwind.com", "mail.northwind.com", id="another letter"),
        pytest.param(a_label("nоrthwind.com"), "mail.northwind.com", id="Cyrillic o"),
        pytest.param(a_label("nörthwind.com"), "mail.northwind.com", id="an accent"),
        pytest.param("acrne.com", "acme.co.uk", id="r and n for m"),
        pytest.param("1bm.com", "ibm.com", id="one for i"),
        pytest.param("northwind.com", None, id="the same registered domain"),
        pytest.param("other.mail.northwind.com", None, id="below it"),
        pytest.param("southwind.com", None, id="two letters differ"),
        pytest.param("acne.com", None, id="a short name that differs by one letter"),
        pytest.param("co.uk", None, id="a public suffix"),
        pytest.param("unrelated.example", None, id="nothing alike"),
    ],
)
def test_look_alikes(look_alikes, name, taken_for):
    assert look_alikes.find(name, PROTECTED) == taken_for


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True), st.sampled_from(["o0", "l1", "s5", "w vv"])
)
@example("cloud", "l1")
def test_writing_a_shape_for_a_letter_changes_nothing(label, exchange):
    letter, shape = exchange.split(" ") if " " in exchange else exchange
    label = label.removeprefix("xn--")

    assert skeleton(label.replace(letter, shape)) == skeleton(label)
