"""The X-SMTPAPI field: what a message over SMTP asks for beside its envelope, as a JSON object. Pure.

What can be done becomes options. What cannot is refused by name, unless it is empty or switched off: delivering the
message without it would do something else than asked. Client libraries fold the object, and write members that say
nothing.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from gatepost.mailflow.options import NO_OPTIONS, SendingOptions
from gatepost.standards.message.header import HeaderSection

MAX_OCTETS: Final = 100_000
MAX_AHEAD: Final = timedelta(hours=72)
MAX_CATEGORIES: Final = 10
MAX_CATEGORY_CHARACTERS: Final = 255
MAX_ARGUMENTS_OCTETS: Final = 10_000

#: By the name of a filter, that of the tracking setting it is.
_TRACKING: Final = {
    "clicktrack": "click_tracking",
    "ganalytics": "ganalytics",
    "opentrack": "open_tracking",
    "subscriptiontrack": "subscription_tracking",
}
#: Retired in the dialect, and without effect there too.
_RETIRED: Final = frozenset({"bcc", "spamcheck"})
_BYPASS: Final = "bypass_list_management"

_INSTEAD: Final = {
    "to": "send one message for each recipient, or use the HTTP API",
    "sub": "use the HTTP API",
    "section": "use the HTTP API",
    "send_each_at": "send one message for each time, with send_at",
    "asm_group_id": "there are no unsubscribe groups yet",
    "asm_groups_to_display": "there are no unsubscribe groups yet",
    "ip_pool": "there are no IP pools yet",
}


class BadInstructions(ValueError):
    """The field cannot be carried out; the message says why, for the client to read."""


def read_smtpapi(section: HeaderSection, now: datetime) -> SendingOptions | None:
    """Return what a header section asks for; None if nothing.

    Raises:
        BadInstructions: There are several such fields, one is no JSON object, or asks for what cannot be done.
    """
    bodies = [field.body for field in section.find_all(b"x-smtpapi")]
    bodies = [body for body in bodies if b"".join(body.split()) not in {b"", b"{}"}]
    if not bodies:
        return None
    if len(bodies) > 1:
        raise BadInstructions("there are several X-SMTPAPI fields: leave one")
    members = _decode(bodies[0])
    read: dict[str, Any] = {}
    for name, value in members.items():
        if name in _READERS:
            read |= _READERS[name](value, now)
        elif value not in ("", None, [], {}):
            raise BadInstructions(f"{name[:40]!r} is not done here: {_INSTEAD.get(name, 'leave it out')}")
    options = SendingOptions(**read)
    return None if options == NO_OPTIONS else options


def _decode(body: bytes) -> Mapping[str, Any]:
    if len(body) > MAX_OCTETS:
        raise BadInstructions(f"the X-SMTPAPI field is longer than {MAX_OCTETS} octets")
    try:
        members = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInstructions("the X-SMTPAPI field is not JSON") from None
    if not isinstance(members, dict):
        raise BadInstructions("the X-SMTPAPI field is not a JSON object")
    return members


def _read_category(value: Any, _: datetime) -> dict[str, Any]:
    categories = [value] if isinstance(value, str) else value
    if not isinstance(categories, list) or not all(isinstance(each, str) for each in categories):
        raise BadInstructions("category must be a text, or a list of texts")
    if len(categories) > MAX_CATEGORIES:
        raise BadInstructions(f"there are more than {MAX_CATEGORIES} categories")
    for each in categories:
        if not each or len(each) > MAX_CATEGORY_CHARACTERS or not each.isascii() or not each.isprintable():
            raise BadInstructions(f"a category must be 1 to {MAX_CATEGORY_CHARACTERS} printable ASCII characters")
    return {"categories": tuple(dict.fromkeys(categories)), "is_single_category": isinstance(value, str)}


def _read_unique_args(value: Any, _: datetime) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(each, str | int | float) for each in value.values()):
        raise BadInstructions("unique_args must be an object of texts")
    arguments = tuple([(name, _text(each)) for name, each in value.items()])
    if sum([len(f"{name}{text}".encode("utf-8", "replace")) for name, text in arguments]) > MAX_ARGUMENTS_OCTETS:
        raise BadInstructions(f"unique_args are longer than {MAX_ARGUMENTS_OCTETS} octets")
    return {"custom_args": arguments}


def _text(value: str | int | float) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _read_send_at(value: Any, now: datetime) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInstructions("send_at must be a Unix timestamp as an integer")
    if value > (now + MAX_AHEAD).timestamp():
        raise BadInstructions("send_at lies more than 72 hours ahead")
    return {} if value <= now.timestamp() else {"send_at": datetime.fromtimestamp(value, UTC)}


def _read_batch_id(value: Any, _: datetime) -> dict[str, Any]:
    if not isinstance(value, str):
        raise BadInstructions("batch_id must be a text")
    return {"batch_id": value}


def _read_filters(value: Any, _: datetime) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInstructions("filters must be an object")
    read: dict[str, Any] = {}
    tracking: dict[str, Any] = {}
    for name, each in value.items():
        settings = each.get("settings", {}) if isinstance(each, dict) else None
        if not isinstance(settings, dict):
            raise BadInstructions(f"the filter {name[:40]!r} must be an object with settings")
        is_enabled = settings.get("enable") in (1, "1", True, "true")
        if name in _TRACKING:
            tracking[_TRACKING[name]] = settings
        elif name == _BYPASS and is_enabled:
            read["bypasses"] = ("list",)
        elif is_enabled and name != _BYPASS and name not in _RETIRED:
            raise BadInstructions(f"the filter {name[:40]!r} is not done here: leave it out, or switch it off")
    if tracking:
        read["tracking"] = _encode_tracking(tracking)
    return read


def _encode_tracking(tracking: Mapping[str, Any]) -> str:
    text = msgspec.json.encode(tracking)
    if len(text) > MAX_ARGUMENTS_OCTETS:
        raise BadInstructions(f"the settings of filters are longer than {MAX_ARGUMENTS_OCTETS} octets")
    return text.decode()


_READERS: Final[Mapping[str, Callable[[Any, datetime], dict[str, Any]]]] = {
    "category": _read_category,
    "unique_args": _read_unique_args,
    "send_at": _read_send_at,
    "batch_id": _read_batch_id,
    "filters": _read_filters,
}
