import pytest

from gatepost.tenancy.access.client import MAX_CHARACTERS, describe_client


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        (("EHLO app.example", "TLSv1.3 X"), "EHLO app.example TLSv1.3 X"),
        (("curl/8",), "curl/8"),
        (("", ""), ""),
        (("a\r\nb\x1b[2J\u202ec\u00e9",), "a??b?[2J?c?"),
    ],
)
def test_what_a_client_says_is_made_fit_to_be_shown(parts, shown):
    assert describe_client(*parts) == shown


def test_what_is_too_long_is_cut():
    shown = describe_client("x" * 100_000)

    assert (len(shown), shown[-4:]) == (MAX_CHARACTERS, "x...")
