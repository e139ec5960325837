import pytest

from gatepost.tenancy.access.scope import ACCOUNT_FLAGS, CATALOGUE, MAIL_SEND, UnknownScope, require_known


def test_the_catalogue_is_that_of_the_dialect() -> None:
    assert len(CATALOGUE) + len(ACCOUNT_FLAGS) == 282
    assert MAIL_SEND in CATALOGUE
    assert {"user.webhooks.parse.stats.read", "whitelabel.delete", "sso.teammates.update"} <= CATALOGUE
    assert not CATALOGUE & ACCOUNT_FLAGS


def test_known_scopes_are_returned_as_a_set() -> None:
    assert require_known(["mail.send", "stats.read", "mail.send"]) == {"mail.send", "stats.read"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mail.sent", "'mail.sent' is not a scope; did you mean mail.send"),
        ("mail_send", "did you mean mail.send"),
        ("mail.batch", "did you mean mail.batch.create, mail.batch.delete, mail.batch.read"),
        ("MAIL.SEND", "'MAIL.SEND' is not a scope"),
        ("*", "'\\*' is not a scope$"),
        ("2fa_required", "a property of an account"),
    ],
)
def test_an_unknown_scope_is_refused_with_those_that_look_like_it(name: str, message: str) -> None:
    with pytest.raises(UnknownScope, match=message):
        require_known(["mail.send", name])
