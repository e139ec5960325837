"""Tags and values: what replaces what, how deep, and never without bound."""

import pytest

from gatepost.mailflow.submission.substitution import Footer, Substitution, TooMuchSubstituted, nest


@pytest.mark.parametrize(
    ("values", "text", "becomes"),
    [
        pytest.param({}, "as it is", "as it is", id="nothing"),
        pytest.param({"-n-": "Ann"}, "Dear -n-, -n-!", "Dear Ann, Ann!", id="every place"),
        pytest.param({"-n-": "A", "-n-m-": "B"}, "-n-m- -n-", "B A", id="the longest tag first"),
        pytest.param({"-a-": "-b-", "-b-": "x"}, "-a-", "-b-", id="a value is not searched"),
        pytest.param({".*": "x"}, "a .* b", "a x b", id="a tag is no pattern"),
    ],
)
def test_tags_are_replaced_in_one_pass(values, text, becomes):
    substitute = Substitution(values)

    assert substitute(text) == becomes
    assert substitute.measure(text) == len(becomes)


@pytest.mark.parametrize(
    ("values", "sections", "becomes"),
    [
        pytest.param({"%g%": "-m-", "%n%": "Bob"}, {"-m-": "Mr %n%"}, "Mr Bob", id="a section that names a value"),
        pytest.param({"%g%": "%1%", "%1%": "%2%", "%2%": "%3%", "%3%": "x"}, {}, "x", id="four levels"),
        pytest.param({"%g%": "x%g%"}, {}, "x" * 8 + "%g%", id="a value that names itself ends"),
        pytest.param({"%g%": ""}, {"-m-": "x"}, "", id="nothing"),
    ],
)
def test_values_name_sections_and_other_values(values, sections, becomes):
    assert nest(values, sections)("%g%") == becomes


def test_a_section_is_only_for_values():
    assert nest({"%g%": "-m-"}, {"-m-": "x"})("-m- %g%") == "-m- x"


def test_values_that_grow_without_bound_are_refused():
    with pytest.raises(TooMuchSubstituted, match="100000"):
        nest({"a": "b" * 1000, "b": "c" * 1000, "c": "d" * 1000, "d": "x"}, {})


@pytest.mark.parametrize(
    ("media_type", "text", "becomes"),
    [
        ("text/plain", "text", "text\nfoot"),
        ("text/html", "<p>text</p>", "<p>text</p><i>foot</i>"),
        ("text/html", "<body>a</body></BODY >", "<body>a</body><i>foot</i></BODY >"),
        ("text/x-amp-html", "text", "text"),
    ],
)
def test_a_footer_stands_below_a_text(media_type, text, becomes):
    assert Footer(plain="foot", html="<i>foot</i>").add(media_type, text) == becomes
    assert Footer().add(media_type, text) == text
