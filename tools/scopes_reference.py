"""The groups of scopes and the scopes in them, as a page of docs/reference."""

from gatepost.tenancy.access.scope import ACCOUNT_FLAGS, CATALOGUE, FULL_ACCESS
from gatepost.tenancy.access.scope_group import GROUPS

_HEAD = """\
# Scopes

Made from the code. {count} names: {grantable} that a key can be given, by the group that `gatepost key create --group`
and the field `groups` of the API take, and {flags} that are properties of an account and can be given to nobody
({names}). A full-access key holds {full} of them: all but the groups Billing and Email Address Validation. A key has
billing scopes or others, never both.

| group | read | full holds besides |
|---|---|---|
"""


def render() -> str:
    """Return the page."""
    flags = sorted(ACCOUNT_FLAGS)
    head = _HEAD.format(
        count=len(CATALOGUE) + len(flags),
        grantable=len(CATALOGUE),
        flags=len(flags),
        names=", ".join(f"`{name}`" for name in flags),
        full=len(FULL_ACCESS),
    )
    rows = [f"| {group.name} | {_names(group.read)} | {_names(group.full - group.read)} |\n" for group in GROUPS]
    return head + "".join(rows)


def _names(scopes: frozenset[str]) -> str:
    return " ".join(f"`{name}`" for name in sorted(scopes)) or "–"
