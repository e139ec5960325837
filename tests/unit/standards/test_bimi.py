import pytest

from gatepost.standards.bimi import BIMIError, Indicator, parse_record


@pytest.mark.parametrize(
    ("text", "indicator"),
    [
        pytest.param(
            "v=BIMI1; l=https://example.com/a.svg; a=https://example.com/a.pem;",
            Indicator(location="https://example.com/a.svg", authority="https://example.com/a.pem"),
            id="with evidence",
        ),
        pytest.param("v=BIMI1;l=https://e.c/A.SVG;a=", Indicator(location="https://e.c/A.SVG", authority=""), id="it"),
        pytest.param("v=BIMI1; l=; a=;", Indicator(location="", authority=""), id="declined"),
    ],
)  # fmt: skip
def test_a_record_is_read(text, indicator):
    assert parse_record(text) == indicator


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("v=BIMI1", "no l=", id="no logo"),
        pytest.param("v=BIMI1; l=http://example.com/a.svg", "no https", id="not over TLS"),
        pytest.param("v=BIMI1; l=https:///a.svg", "no https", id="no host"),
        pytest.param("v=BIMI1; l=https://[/a.svg", "no https", id="no URL"),
        pytest.param("v=BIMI1; l=https://example.com/a.png", "no SVG", id="another format"),
        pytest.param("v=BIMI1; l=https://example.com/a.svg; a=example.com/a.pem", "no https", id="evidence"),
        pytest.param("v=BIMI2; l=", "begin with", id="another version"),
        pytest.param("v=BIMI1; l", "no field", id="no field"),
    ],
)
def test_what_receivers_cannot_use_is_refused(text, reason):
    with pytest.raises(BIMIError, match=reason):
        parse_record(text)
