"""What ``/v3/subusers`` takes and gives, and how it reads what it is given."""

from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account, AccountState

MAX_LISTED: Final = 500
#: There is one place: this one.
REGION: Final = "global"


class SubuserToMake(Struct, frozen=True, kw_only=True):
    """A subuser that is wanted."""

    username: Annotated[str | UnsetType, Meta(description="Required; unique in the whole service.")] = UNSET
    email: Annotated[str | UnsetType, Meta(description="Required: of whoever is responsible for it.")] = UNSET
    password: Annotated[str | UnsetType, Meta(description="Of its first person, who is called as it is.")] = UNSET
    ips: Annotated[tuple[str, ...] | UnsetType, Meta(description="Sending addresses of this service.")] = UNSET
    region: Annotated[str | UnsetType, Meta(description='"global"; there is no other.')] = UNSET
    include_region: bool | UnsetType = UNSET


class CreditAllocation(Struct, frozen=True, kw_only=True):
    """How a subuser's credits are limited."""

    type: str


class SubuserMade(Struct, frozen=True, kw_only=True):
    """A new subuser."""

    username: str
    user_id: int
    email: str
    credit_allocation: CreditAllocation
    region: str | UnsetType = UNSET


class SubuserListed(Struct, frozen=True, kw_only=True):
    """A subuser in a list; disabled also where the operator has stopped it."""

    id: int
    username: str
    email: str
    disabled: bool
    region: str | UnsetType = UNSET


class Disabling(Struct, frozen=True, kw_only=True):
    """Whether something is disabled from now on."""

    disabled: Annotated[bool | UnsetType, Meta(description="Required.")] = UNSET


class AssignedAddresses(Struct, frozen=True, kw_only=True):
    """The sending addresses of a subuser."""

    ips: tuple[str, ...]


def describe(account: Account, *, with_region: bool) -> SubuserListed:
    """Return a subuser as it is listed."""
    return SubuserListed(
        id=number_of(account.id),
        username=account.name,
        email=account.email,
        disabled=account.disabled_at is not None or account.state is not AccountState.ACTIVE,
        region=REGION if with_region else UNSET,
    )


def number_of(account_id: AccountId) -> int:
    """Return the number by which the dialect knows an account: 48 bits of its id, exact in every JSON reader."""
    try:
        octets = urlsafe_b64decode(account_id.removeprefix("acc_"))
    except Base64Error:
        octets = account_id.encode()
    return int.from_bytes(octets[:6], "big")


def read_page(parameters: Mapping[str, str]) -> tuple[int, int] | str:
    """Return limit and offset, or the name of the one that is no such number."""
    limit, offset = parameters.get("limit") or str(MAX_LISTED), parameters.get("offset") or "0"
    if not is_number(limit) or int(limit) == 0:
        return "limit"
    if not is_number(offset):
        return "offset"
    return min(int(limit), MAX_LISTED), int(offset)


def is_number(text: str) -> bool:
    """Say whether a parameter is a whole number of up to nine digits."""
    return text.isascii() and text.isdigit() and len(text) < 10
