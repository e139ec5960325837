"""What a body of ``/v3/api_keys`` says → values, or everything that is wrong with it; the text is the rule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from msgspec import UnsetType

from gatepost.entrypoints.api.problem import FieldError, Problem, invalid
from gatepost.entrypoints.api.v3.api_keys_body import BudgetWanted, KeyToMake, RotationWanted
from gatepost.standards.address import AddressError, parse_domain, parse_mailbox
from gatepost.tenancy.access.budget import MAX_LIMIT, NO_BUDGET, Budget, Measure
from gatepost.tenancy.access.grant import Limits
from gatepost.tenancy.access.ip_allowlist import parse_network
from gatepost.tenancy.access.rotate import DEFAULT_OVERLAP, MAX_OVERLAP
from gatepost.tenancy.access.scope import MixedScopes, UnknownScope, require_known, require_one_kind
from gatepost.tenancy.access.scope_group import UnknownGroup, require_groups

MAX_NAME: Final = 100
MAX_ENTRIES: Final = 100
"""Of one list of limits."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedKey:
    """What a body asks for; ``scopes`` is None where it says nothing of them."""

    name: str
    scopes: frozenset[str] | None
    limits: Limits


class _Errors:
    """Collects what is wrong."""

    def __init__(self) -> None:
        self.found: list[FieldError] = []

    def add(self, field: str, message: str) -> None:
        self.found.append(FieldError(message=message, field=field))


def read_wanted(body: KeyToMake, now: datetime) -> WantedKey | Problem:
    """Read a body, or say all that is wrong with it."""
    errors = _Errors()
    wanted = WantedKey(
        name=_read_name(body.name, errors),
        scopes=_read_scopes(body, errors),
        limits=Limits(
            allowed_networks=_read_list(body.allowed_networks, "allowed_networks", parse_network, errors),
            allowed_authors=_read_list(body.allowed_authors, "allowed_authors", _read_author, errors),
            allowed_recipient_domains=_read_list(
                body.allowed_recipient_domains, "allowed_recipient_domains", parse_domain, errors
            ),
            expires_at=_read_expiry(body.expires_at, now, errors),
            budget=_read_budget(body.budget, errors),
        ),
    )
    return invalid(errors.found) if errors.found else wanted


def read_name(name: str | UnsetType) -> str | Problem:
    """Read a name."""
    errors = _Errors()
    read = _read_name(name, errors)
    return invalid(errors.found) if errors.found else read


def read_overlap(body: RotationWanted) -> timedelta | Problem:
    """Read how long the old key goes on."""
    seconds = body.overlap_seconds
    if isinstance(seconds, UnsetType):
        return DEFAULT_OVERLAP
    most = int(MAX_OVERLAP.total_seconds())
    if not 0 <= seconds <= most:
        return invalid([FieldError(message=f"overlap_seconds must be 0 to {most}", field="overlap_seconds")])
    return timedelta(seconds=seconds)


def _read_name(name: str | UnsetType, errors: _Errors) -> str:
    if isinstance(name, UnsetType) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        errors.add("name", f"name is required: 1 to {MAX_NAME} printable characters")
        return ""
    return name


def _read_scopes(body: KeyToMake, errors: _Errors) -> frozenset[str] | None:
    if isinstance(body.scopes, UnsetType) and isinstance(body.groups, UnsetType):
        return None
    scopes: frozenset[str] = frozenset()
    try:
        if not isinstance(body.scopes, UnsetType):
            scopes |= require_known(body.scopes)
    except UnknownScope as error:
        errors.add("scopes", f"one or more of given scopes are invalid: {error}")
        return None
    try:
        if not isinstance(body.groups, UnsetType):
            scopes |= require_groups(body.groups.items())
        require_one_kind(scopes)
    except UnknownGroup as error:
        errors.add("groups", str(error))
    except MixedScopes as error:
        errors.add("scopes", str(error))
    else:
        if not scopes:
            errors.add("scopes", "at least one scope is required; delete the key to take all away")
    return scopes


def _read_list(
    texts: tuple[str, ...] | UnsetType, field: str, read: Callable[[str], T], errors: _Errors
) -> tuple[T, ...] | None:
    if isinstance(texts, UnsetType):
        return None
    if len(texts) > MAX_ENTRIES:
        errors.add(field, f"{field} may have {MAX_ENTRIES} entries at most")
        return None
    values: list[T] = []
    for place, text in enumerate(texts):
        try:
            values.append(read(text))
        except (AddressError, ValueError) as error:
            errors.add(f"{field}.{place}", f"{text[:100]!r}: {error}")
    return _once(values)


def _once(values: Sequence[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _read_author(text: str) -> str:
    return str(parse_mailbox(text.encode(), allow_utf8=True)) if "@" in text else parse_domain(text)


def _read_expiry(text: str | UnsetType, now: datetime, errors: _Errors) -> datetime | None:
    if isinstance(text, UnsetType):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        errors.add("expires_at", "expires_at must be an instant like 2027-01-01T12:00:00Z")
        return None
    if at <= now:
        errors.add("expires_at", "expires_at must lie in the future")
    return at.astimezone(UTC)


def _read_budget(body: BudgetWanted | UnsetType, errors: _Errors) -> Budget:
    if isinstance(body, UnsetType):
        return NO_BUDGET
    limits: dict[str, int] = {}
    for measure in Measure:
        value = getattr(body, measure.value)
        if isinstance(value, UnsetType):
            continue
        if 0 <= value <= MAX_LIMIT:
            limits[measure.value] = value
        else:
            errors.add(f"budget.{measure.value}", f"{measure.value} must be 0 to {MAX_LIMIT}")
    return Budget(**limits)
