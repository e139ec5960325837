"""A teammate: one person in one account, and what he may do there.

An e-mail address, and a user name, stand for one person in the whole service: they are what he signs in with. Both are
compared without case, and are kept in lower case.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from gatepost.primitives.ids import AccountId, TeammateId
from gatepost.standards.address import AddressError, parse_mailbox

MAX_EMAIL: Final = 255
_USERNAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{1,62}[a-z0-9])")
#: What stands where a user name may stand in paths of the HTTP API.
_PATH_WORDS: Final = frozenset({"pending"})
_MAX_NAME: Final = 100
_MAX_PROFILE_VALUE: Final = 255

PROFILE_FIELDS: Final = ("phone", "website", "address", "address2", "city", "state", "zip", "country", "company")
"""What the dialect's profile holds beside the names. Nothing here depends on any of it."""


class Role(Enum):
    """What kind of member a person is."""

    #: May do everything, and cannot be removed or changed by anybody but the operator.
    OWNER = "owner"
    #: May do everything.
    ADMIN = "admin"
    #: May do what his scopes name.
    SCOPED = "teammate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Teammate:
    """A person in an account. ``scopes`` counts only where the role is SCOPED; it is empty otherwise."""

    id: TeammateId
    account_id: AccountId
    email: str
    username: str
    first_name: str = ""
    last_name: str = ""
    role: Role
    scopes: frozenset[str] = frozenset()
    profile: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    created_at: datetime

    @property
    def number(self) -> int:
        """The id as the dialect's clients want one: a whole number, exact in every language."""
        return int.from_bytes(sha256(self.id.encode()).digest()[:6], "big")


class PersonRefused(ValueError):
    """Something that a person is to be called cannot be taken; ``subject`` names the field, the text says why."""

    def __init__(self, subject: str, text: str) -> None:
        super().__init__(text)
        self.subject = subject


def require_email(text: str) -> str:
    """Return an address as it is kept. Raises ``PersonRefused``."""
    try:
        mailbox = parse_mailbox(text.strip().encode(), allow_utf8=False)
    except (AddressError, UnicodeEncodeError) as error:
        raise PersonRefused("email", f"email is no address that mail could be sent to: {error}") from error
    address = str(mailbox).lower()
    if mailbox.is_address_literal or not 5 <= len(address) <= MAX_EMAIL:
        raise PersonRefused("email", f"email must have 5 to {MAX_EMAIL} characters and a domain name")
    return address


def require_username(text: str) -> str:
    """Return a user name as it is kept: never with an "@", so that it is not somebody else's address."""
    name = text.strip().lower()
    if not _USERNAME.fullmatch(name) or name in _PATH_WORDS:
        raise PersonRefused(
            "username",
            "username needs 3 to 64 of a-z, 0-9, '.', '_' and '-', beginning and ending with a letter or digit, and is "
            "not 'pending'",
        )
    return name


def require_name(text: str, subject: str) -> str:
    """Return a first or last name; may be empty."""
    if len(text) > _MAX_NAME or not text.isprintable():
        raise PersonRefused(subject, f"{subject} must be up to {_MAX_NAME} printable characters")
    return text.strip()


def require_profile(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return what of a profile is to be kept: nothing that is empty."""
    for name, value in values.items():
        if len(value) > _MAX_PROFILE_VALUE or not value.isprintable():
            raise PersonRefused(name, f"{name} must be up to {_MAX_PROFILE_VALUE} printable characters")
    return {name: value.strip() for name, value in values.items() if value.strip()}
