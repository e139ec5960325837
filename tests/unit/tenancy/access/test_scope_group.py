from collections import Counter

import pytest

from gatepost.tenancy.access.scope import BILLING, CATALOGUE
from gatepost.tenancy.access.scope_group import GROUPS, AccessLevel, UnknownGroup, require_groups


def test_each_scope_is_in_exactly_one_group():
    counts = Counter(scope for group in GROUPS for scope in group.full)

    assert set(counts) == CATALOGUE
    assert set(counts.values()) == {1}


# The levels that the dialect documents.
@pytest.mark.parametrize(
    ("name", "full", "read"),
    [
        (
            "Mail Send",
            "mail.send mail.batch.create mail.batch.read mail.batch.update mail.batch.delete",
            "mail.batch.read",
        ),
        ("API Keys", "api_keys.create api_keys.read api_keys.update api_keys.delete", "api_keys.read"),
        (
            "IP Access Management",
            """access_settings.activity.read access_settings.whitelist.create access_settings.whitelist.read
            access_settings.whitelist.update access_settings.whitelist.delete""",
            "access_settings.activity.read access_settings.whitelist.read",
        ),
        (
            "Sender Authentication",
            "whitelabel.create whitelabel.read whitelabel.update whitelabel.delete",
            "whitelabel.read",
        ),
        ("Billing", " ".join(sorted(BILLING)), "billing.read"),
    ],
)
def test_a_group_stands_for_what_the_dialect_says(name, full, read):
    assert require_groups([(name, "full")]) == set(full.split())
    assert require_groups([(name, "READ")]) == set(read.split())
    assert require_groups([(name, "none")]) == set()


def test_a_group_knows_its_level():
    (mail,) = [group for group in GROUPS if group.name == "Mail Send"]

    assert [mail.level(mail.scopes(level)) for level in AccessLevel] == list(AccessLevel)
    assert mail.level(frozenset({"mail.send", "stats.read"})) is None


@pytest.mark.parametrize(
    ("name", "level", "text"),
    [
        ("Post", "full", "there are Mail Send"),
        ("Mail Send", "all", "write none, read or full"),
        ("Sign-up", "read", "nothing to read"),
    ],
)
def test_what_is_no_choice_is_refused_with_what_there_is(name, level, text):
    with pytest.raises(UnknownGroup, match=text):
        require_groups([(name, level)])
