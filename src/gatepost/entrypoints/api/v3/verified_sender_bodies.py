"""What ``/v3/verified_senders`` takes and gives, and what is wrong with what it is given."""

from collections.abc import Iterator
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.entrypoints.api.problem import FieldError
from gatepost.standards.address import AddressError, parse_mailbox
from gatepost.tenancy.senders.single_sender import SenderDetails, SingleSender

#: As the dialect has them, in characters.
MAX_CHARACTERS: Final = {
    "nickname": 100, "from_email": 256, "from_name": 256, "reply_to": 256, "reply_to_name": 256, "address": 100,
    "address2": 100, "state": 2, "city": 150, "zip": 10, "country": 100,
}  # fmt: skip
_REQUIRED: Final = ("nickname", "from_email", "reply_to")
_ADDRESSES: Final = frozenset({"from_email", "reply_to"})


class SenderWanted(Struct, frozen=True, kw_only=True):
    """A single sender as it is wanted; where one is changed, what is left out stays as it is."""

    nickname: Annotated[str | UnsetType, Meta(description="Required; what you call it.")] = UNSET
    from_email: Annotated[
        str | UnsetType, Meta(description="Required: the address to send as, to which the token goes.")
    ] = UNSET
    from_name: str | UnsetType = UNSET
    reply_to: Annotated[str | UnsetType, Meta(description="Required.")] = UNSET
    reply_to_name: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    address2: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    city: str | UnsetType = UNSET
    zip: str | UnsetType = UNSET
    country: str | UnsetType = UNSET


class SenderShown(Struct, frozen=True, kw_only=True):
    """A single sender. ``warning`` is no part of the dialect: what receivers will make of its mail."""

    id: int
    nickname: str
    from_email: str
    from_name: str
    reply_to: str
    reply_to_name: str
    address: str
    address2: str
    state: str
    city: str
    zip: str
    country: str
    verified: bool
    locked: bool
    warning: str | UnsetType = UNSET


class SendersShown(Struct, frozen=True, kw_only=True):
    """Some single senders."""

    results: tuple[SenderShown, ...]


class Steps(Struct, frozen=True, kw_only=True):
    """Whether the account has proved any address, and any domain."""

    sender_verified: bool
    domain_verified: bool


class StepsCompleted(Struct, frozen=True, kw_only=True):
    """How far an account has come."""

    results: Steps


class FailingDomains(Struct, frozen=True, kw_only=True):
    """Domains of mailbox providers whose DMARC policy is against single senders."""

    soft_failures: tuple[str, ...]
    hard_failures: tuple[str, ...]


class FailingDomainsShown(Struct, frozen=True, kw_only=True):
    """Such domains."""

    results: FailingDomains


def find_errors(wanted: SenderWanted, *, is_new: bool) -> Iterator[FieldError]:
    """Say what is wrong with a sender's fields."""
    for name, limit in MAX_CHARACTERS.items():
        text = getattr(wanted, name)
        if isinstance(text, UnsetType):
            if is_new and name in _REQUIRED:
                yield FieldError(message=f"{name} is required", field=name, error_id="required")
            continue
        if not text.strip() and name in _REQUIRED:
            yield FieldError(message=f"{name} must not be empty", field=name, error_id="required")
        elif len(text) > limit:
            yield FieldError(message=f"{name} has at most {limit} characters", field=name, error_id="too_long")
        elif not text.isprintable():
            yield FieldError(message=f"{name} holds what cannot be printed", field=name, error_id="invalid")
        elif name in _ADDRESSES and (reason := _why_no_address(text)):
            yield FieldError(message=f"{name} is no email address: {reason}", field=name, error_id="invalid")


def read_details(wanted: SenderWanted, present: SenderDetails | None = None) -> SenderDetails:
    """Return what a sender says about itself, from what is wanted and what was there before."""
    texts = {}
    for name in SenderDetails.__dataclass_fields__:
        text = getattr(wanted, name)
        before = "" if present is None else getattr(present, name)
        texts[name] = before if isinstance(text, UnsetType) else text.strip()
    return SenderDetails(**texts)


def describe(sender: SingleSender, *, is_verified: bool, warning: str = "") -> SenderShown:
    """Return a sender as it is shown."""
    details = {name: getattr(sender.details, name) for name in SenderDetails.__dataclass_fields__}
    return SenderShown(
        id=sender.id,
        from_email=sender.email,
        verified=is_verified,
        locked=False,
        warning=warning or UNSET,
        **details,
    )


def _why_no_address(text: str) -> str:
    try:
        mailbox = parse_mailbox(text.strip().encode(), allow_utf8=True)
    except AddressError as error:
        return str(error)
    return "an address literal is nobody's" if mailbox.is_address_literal else ""
