import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.spf.macro import MacroError, check_domain_spec, check_macro_string, expand, holds_macro

# RFC 7208 §7.4
VALUES = {
    "s": "strong-bad@email.example.com",
    "l": "strong-bad",
    "o": "email.example.com",
    "d": "email.example.com",
    "i": "192.0.2.3",
    "v": "in-addr",
    "h": "mail.example.com",
    "p": "unknown",
}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%{D2}", "example.com"),
        ("100%%%_%-", "100% %20"),
        ("%{d999999999999999999999}", "email.example.com"),
    ],
)
def test_expansion(text, expanded):
    check_macro_string(text)

    assert expand(text, VALUES) == expanded


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("%", "not allowed", id="a lone percent sign"),
        pytest.param("%{x}", "not allowed", id="an unknown letter"),
        pytest.param("%{d", "not allowed", id="not closed"),
        pytest.param("%{d0}", "none of the parts", id="no part"),
        pytest.param("a b", "not allowed", id="a space"),
        pytest.param("ä", "not allowed", id="not ASCII"),
        pytest.param("%{c}", "only explanations", id="c out of place"),
        pytest.param("%{R}", "only explanations", id="r out of place"),
    ],
)
def test_what_is_no_macro_string_is_refused_in_words(text, complaint):
    with pytest.raises(MacroError, match=complaint):
        check_macro_string(text)


def test_explanations_may_hold_spaces_and_more_macros():
    check_macro_string("sent from %{c} at %{t}, says %{r}", is_explanation=True)

    with pytest.raises(MacroError):
        check_macro_string("tab\there", is_explanation=True)


@pytest.mark.parametrize(
    "text", ["example.com", "example.com.", "a.b-c", "a.1a", "a.b--c", "%{d}", "_spf.%{d2}", "%{i}.example", "a.%%"]
)
def test_domain_specifications(text):
    assert check_domain_spec(text) is None


@pytest.mark.parametrize(
    "text", ["", "museum", ".", "a.1", "a.-b", "a.b-", "a..", "a.b_c", "%{d}x", "a./24", "%{d}/24"]
)
def test_what_cannot_stand_for_a_domain_is_refused(text):
    with pytest.raises(MacroError):
        check_domain_spec(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a." + "a" * 60_000 + "_", id="a long label with a bad end"),
        pytest.param("%{d" + "1" * 60_000, id="a long number not closed"),
        pytest.param("%{" * 30_000, id="many beginnings"),
        pytest.param("%{d" + "." * 60_000 + "x", id="many delimiters"),
    ],
)
def test_costly_texts_are_refused_quickly(text):
    started = time.process_time()

    with pytest.raises(MacroError):
        check_domain_spec(text)

    assert time.process_time() - started < 0.5


def test_macros_are_found_by_letter():
    assert holds_macro("a.%{P2r}.%{d}", "p")
    assert not holds_macro("p.%%{p}", "p")


@given(st.text(alphabet="%{}sdlpcrt019r.-+/_ a=", max_size=30))
def test_garbage_is_refused_or_can_be_expanded(text):
    try:
        check_macro_string(text)
    except MacroError:
        return
    assert isinstance(expand(text, VALUES), str)
