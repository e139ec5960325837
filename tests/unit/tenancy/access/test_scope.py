from pathlib import Path

import pytest

from gatepost.tenancy.access.scope import (
    ACCOUNT_FLAGS,
    BILLING,
    CATALOGUE,
    FULL_ACCESS,
    MAIL_SEND,
    KeyKind,
    MixedScopes,
    UnknownScope,
    kind_of,
    of_one_kind,
    require_known,
    require_one_kind,
)


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


def test_full_access_is_everything_but_billing_and_address_validation() -> None:
    assert {scope.partition(".")[0] for scope in CATALOGUE - FULL_ACCESS} == {"billing", "validations"}
    assert {f"billing.{verb}" for verb in ("create", "read", "update", "delete")} == BILLING


@pytest.mark.parametrize(
    ("scopes", "kind"),
    [
        (FULL_ACCESS, KeyKind.FULL),
        (CATALOGUE, KeyKind.FULL),
        (BILLING, KeyKind.BILLING),
        (frozenset({"billing.read"}), KeyKind.BILLING),
        (frozenset({"mail.send"}), KeyKind.RESTRICTED),
        (frozenset(), KeyKind.RESTRICTED),
    ],
)
def test_a_key_is_called_by_its_scopes(scopes: frozenset[str], kind: KeyKind) -> None:
    assert kind_of(scopes) is kind


def test_billing_and_other_scopes_are_never_held_together() -> None:
    mixed = frozenset({"billing.read", "mail.send"})

    with pytest.raises(MixedScopes, match="two keys"):
        require_one_kind(mixed)
    assert of_one_kind(mixed) == {"mail.send"}
    assert of_one_kind(BILLING) == BILLING == require_one_kind(BILLING)


# The dialect's own list, resource by resource, as its documentation has it.
LISTED = (Path(__file__).parent / "scopes.txt").read_text(encoding="ascii").split()


def test_the_names_are_those_that_the_dialect_lists() -> None:
    assert len(LISTED) == 282
    assert set(LISTED) == CATALOGUE | ACCOUNT_FLAGS
