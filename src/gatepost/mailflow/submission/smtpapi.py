"""The X-SMTPAPI field: what a message over SMTP asks for beside its envelope, as a JSON object. Pure.

What can be done becomes options of the message, and a mailing where others are to be made of it. What cannot is refused
by name, unless it is empty or switched off: delivering the message without it would do something else than asked.
Client libraries fold the object, and write members that say nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any, Final

import msgspec

from gatepost.mailflow.options import NO_OPTIONS, SendingOptions
from gatepost.mailflow.submission.mailing import MAX_RECIPIENTS, BadInstructions, Mailing
from gatepost.mailflow.submission.substitution import MAX_OCTETS as MAX_SUBSTITUTED
from gatepost.mailflow.submission.substitution import Footer
from gatepost.standards.address import AddressError, parse_mailbox
from gatepost.standards.message.header import HeaderSection
from gatepost.standards.message.header_build import NamedMailbox

MAX_OCTETS: Final = 250_000
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
_FOOTER: Final = "footer"
_QUOTED_PAIR: Final = re.compile(r"\\(.)")

_INSTEAD: Final = {
    "asm_group_id": "there are no unsubscribe groups yet",
    "asm_groups_to_display": "there are no unsubscribe groups yet",
    "ip_pool": "there are no IP pools yet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What a message asks for: options that it keeps, and what is to be made of it; None where it asks for nothing."""

    options: SendingOptions | None = None
    mailing: Mailing | None = None


NO_INSTRUCTIONS: Final = Instructions()


def read_smtpapi(section: HeaderSection, now: datetime) -> Instructions:
    """Return what a header section asks for.

    Raises:
        BadInstructions: There are several such fields, one is no JSON object, or asks for what cannot be done.
    """
    bodies = [field.body for field in section.find_all(b"x-smtpapi")]
    bodies = [body for body in bodies if b"".join(body.split()) not in {b"", b"{}"}]
    if not bodies:
        return NO_INSTRUCTIONS
    if len(bodies) > 1:
        raise BadInstructions("there are several X-SMTPAPI fields: leave one")
    members = _decode(bodies[0])
    read: dict[str, Any] = {}
    for name, value in members.items():
        if name in _READERS:
            read |= _READERS[name](value, now)
        elif value in ("", None, [], {}):
            continue
        elif name in _MAILING_READERS:
            read |= _MAILING_READERS[name](value, now)
        else:
            raise BadInstructions(f"{name[:40]!r} is not done here: {_INSTEAD.get(name, 'leave it out')}")
    if members.get("send_at") and members.get("send_each_at"):
        raise BadInstructions("send_at and send_each_at exclude each other: leave one")
    mailing = Mailing(**{name: read.pop(name) for name in tuple(read) if name in Mailing.__slots__})
    options = SendingOptions(**read)
    return Instructions(
        options=None if options == NO_OPTIONS else options, mailing=None if mailing == Mailing() else mailing
    )


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
    return {"send_at": _read_instant("send_at", value, now)}


def _read_instant(name: str, value: Any, now: datetime) -> datetime | None:
    """Return when to send; None for at once."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInstructions(f"{name} must be a Unix timestamp as an integer")
    if value > (now + MAX_AHEAD).timestamp():
        raise BadInstructions(f"{name} lies more than 72 hours ahead")
    return None if value <= now.timestamp() else datetime.fromtimestamp(value, UTC)


def _read_to(value: Any, _: datetime) -> dict[str, Any]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadInstructions("to must be a list of addresses, as texts")
    if len(value) > MAX_RECIPIENTS:
        raise BadInstructions(f"to holds {len(value)} recipients: send to at most {MAX_RECIPIENTS} at a time")
    return {"to": tuple([_read_recipient(each) for each in value])}


def _read_recipient(text: str) -> NamedMailbox:
    name, bracket, address = text.strip().rpartition("<")
    try:
        if not bracket:
            return NamedMailbox(parse_mailbox(address.encode(), allow_utf8=True))
        if not address.endswith(">"):
            raise AddressError("the angle bracket is not closed")
        return NamedMailbox(parse_mailbox(address[:-1].encode(), allow_utf8=True), _unquote(name.strip()))
    except (AddressError, UnicodeEncodeError) as error:
        raise BadInstructions(f"to holds {text[:80]!r}, which is no address: {error}") from error


def _unquote(name: str) -> str:
    is_quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return _QUOTED_PAIR.sub(r"\1", name[1:-1]) if is_quoted else name


def _read_sub(value: Any, _: datetime) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(values, list) for values in value.values()):
        raise BadInstructions("sub must be an object of lists: for each tag, a text for each recipient")
    tags = [(tag, tuple([_read_value("sub", each) for each in values])) for tag, values in value.items()]
    for tag, _values in tags:
        _require_tag("sub", tag)
    for values in zip_longest(*[values for _, values in tags], fillvalue=""):
        if sum([len(text.encode("utf-8", "replace")) for text in values]) > MAX_ARGUMENTS_OCTETS:
            raise BadInstructions(f"sub holds more than {MAX_ARGUMENTS_OCTETS} octets for one recipient")
    return {"values": tuple(tags)}


def _read_section(value: Any, _: datetime) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInstructions("section must be an object of texts")
    for tag in value:
        _require_tag("section", tag)
    sections = tuple([(tag, _read_value("section", text)) for tag, text in value.items()])
    if sum([len(text) for _, text in sections]) > MAX_SUBSTITUTED:
        raise BadInstructions(f"section holds more than {MAX_SUBSTITUTED} characters")
    return {"sections": sections}


def _read_value(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadInstructions(f"{name} must hold texts")
    return _text(value)


def _require_tag(name: str, tag: str) -> None:
    if not tag or tag.split() != [tag]:
        raise BadInstructions(f"{name} has the tag {tag[:40]!r}: a tag has one character at least, and no white space")


def _read_send_each_at(value: Any, now: datetime) -> dict[str, Any]:
    if not isinstance(value, list):
        raise BadInstructions("send_each_at must be a list of Unix timestamps, one for each recipient")
    return {"send_each_at": tuple([_read_instant("send_each_at", each, now) for each in value])}


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
        elif name == _FOOTER and is_enabled:
            read["footer"] = _read_footer(settings)
        elif name == _BYPASS and is_enabled:
            read["bypasses"] = ("list",)
        elif is_enabled and name not in _RETIRED:
            raise BadInstructions(f"the filter {name[:40]!r} is not done here: leave it out, or switch it off")
    if tracking:
        read["tracking"] = _encode_tracking(tracking)
    return read


def _read_footer(settings: Mapping[str, Any]) -> Footer:
    plain, html = settings.get("text/plain", ""), settings.get("text/html", "")
    if not isinstance(plain, str) or not isinstance(html, str):
        raise BadInstructions("the filter 'footer' must hold text/plain and text/html as texts")
    return Footer(plain=plain, html=html)


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

#: Of what client libraries write without a meaning, too.
_MAILING_READERS: Final[Mapping[str, Callable[[Any, datetime], dict[str, Any]]]] = {
    "to": _read_to,
    "sub": _read_sub,
    "section": _read_section,
    "send_each_at": _read_send_each_at,
}
