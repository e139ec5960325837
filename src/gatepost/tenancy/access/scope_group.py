"""Scope groups: what a person chooses from instead of scopes, and what each choice stands for.

None, read or full, by feature; the names are those that the dialect's own pages show. Reading is what GET does. Each
scope that a key can be given is in exactly one group.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gatepost.tenancy.access.scope import CATALOGUE


class AccessLevel(Enum):
    """How far a key may use a feature."""

    NONE = "none"
    READ = "read"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeGroup:
    """One feature and its scopes."""

    name: str
    full: frozenset[str]

    @property
    def read(self) -> frozenset[str]:
        """What reads and changes nothing."""
        return frozenset(scope for scope in self.full if scope.endswith(".read"))

    def scopes(self, level: AccessLevel) -> frozenset[str]:
        """Return what a choice stands for."""
        if level is AccessLevel.NONE:
            return frozenset()
        return self.read if level is AccessLevel.READ else self.full

    def level(self, scopes: frozenset[str]) -> AccessLevel | None:
        """Return which choice these scopes are here; None if they are none of the three."""
        own = scopes & self.full
        return next((level for level in AccessLevel if self.scopes(level) == own), None)


class UnknownGroup(ValueError):
    """A name that is no group, or a word that is no level; the text says what there is."""


def require_groups(wanted: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the scopes that these choices, group and level, stand for. Raises ``UnknownGroup`` at the first wrong."""
    chosen: set[str] = set()
    for name, word in wanted:
        group = _BY_NAME.get(name.strip().casefold())
        if group is None:
            raise UnknownGroup(f"{name!r} is no group of scopes; there are {', '.join(each.name for each in GROUPS)}")
        try:
            level = AccessLevel(word.strip().lower())
        except ValueError:
            raise UnknownGroup(f"{word!r} is no level of {group.name}: write none, read or full") from None
        if level is AccessLevel.READ and not group.read:
            raise UnknownGroup(f"{group.name} has nothing to read: write none or full")
        chosen |= group.scopes(level)
    return frozenset(chosen)


# A scope belongs to the group with the longest prefix of its name.
_PREFIXES: Final = {
    "Mail Send": "mail",
    "API Keys": "api_keys",
    "IP Access Management": "access_settings",
    "Sender Authentication": "whitelabel",
    "Suppressions": "suppression asm",
    "Scheduled Sends": "user.scheduled_sends",
    "Teammates": "teammates",
    "Webhooks": "user.webhooks",
    "Subusers": "subusers",
    "Alerts": "alerts",
    "Billing": "billing",
    "Category Management": "categories",
    "Credentials": "credentials",
    "Design Library": "design_library",
    "Email Activity": "email_activity messages",
    "Email Address Validation": "validations.email",
    "Email Testing": "email_testing",
    "IP Management": "ips",
    "Mail Settings": "mail_settings",
    "Marketing": "marketing marketing_campaigns newsletter",
    "Partners": "partner_settings",
    "Recipients' Data Erasure": "recipients",
    "Sign-up": "signup ui",
    "Single Sign-On": "sso",
    "Stats": (
        "stats browsers.stats categories.stats clients devices.stats di.bounce_block_classification geo.stats "
        "mailbox_providers.stats"
    ),
    "Template Engine": "templates",
    "Tracking": "tracking_settings",
    "User Account": "user",
}


def _longest_match(scope: str) -> str:
    matches = [
        (len(prefix), name)
        for name, prefixes in _PREFIXES.items()
        for prefix in prefixes.split()
        if scope.startswith(f"{prefix}.")
    ]
    return max(matches)[1]


def _arrange() -> tuple[ScopeGroup, ...]:
    owners = {scope: _longest_match(scope) for scope in CATALOGUE}
    return tuple(
        ScopeGroup(name=name, full=frozenset(scope for scope, owner in owners.items() if owner == name))
        for name in _PREFIXES
    )


GROUPS: Final = _arrange()
"""Every group, the ones that most keys need first."""

_BY_NAME: Final = {group.name.casefold(): group for group in GROUPS}
