"""The types that single settings have: how each is read, described and written.

TOML gives text, whole numbers, booleans and lists; settings have durations, networks, paths and choices. What is read
here is either right or refused with words that the operator can act on.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin

import msgspec

from gatepost.primitives.secret import Secret
from gatepost.runtime.settings import HOST_NAME
from gatepost.runtime.settings_tables import IPAddress, Network

_DURATION = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def parse_duration(text: str) -> timedelta:
    """Read ``"90s"``, ``"5m"`` or ``"1h30m"``. Raises ``ValueError`` if it is none, or nothing."""
    parts = _DURATION.findall(text)
    if not parts or "".join([number + unit for number, unit in parts]) != text:
        raise ValueError("is no duration")
    duration = sum([int(number) * _UNITS[unit] for number, unit in parts], timedelta())
    if not duration:
        raise ValueError("is no time at all")
    return duration


def format_duration(duration: timedelta) -> str:
    """Write a duration so that ``parse_duration`` reads it back: ``1h30m``."""
    words = []
    # No days: "72h" says more to a postmaster than "3d".
    for unit in ("h", "m", "s", "ms"):
        count, duration = divmod(duration, _UNITS[unit])
        if count:
            words.append(f"{count}{unit}")
    return "".join(words)


_PARSERS: dict[object, Callable[[str], object]] = {
    timedelta: parse_duration,
    Path: Path,
    Network: ip_network,
    IPAddress: ip_address,
    Secret[str]: Secret,
}


def parse_setting(hint: Any, raw: object) -> object:
    """Return what TOML gave as the type a setting has.

    Args:
        hint: The setting's annotation.
        raw: What stands in the file.

    Raises:
        ValueError: It does not fit; the text says what is wrong with it, as the end of a sentence.
    """
    kind, _ = plain_type(hint)
    element = element_type(kind)
    if element in _PARSERS:
        if not isinstance(raw, list):
            raise ValueError("is not a list")
        return tuple([_parse_text(element, item) for item in raw])
    if kind in _PARSERS:
        return _parse_text(kind, raw)
    try:
        return msgspec.convert(raw, hint)
    except msgspec.ValidationError as error:
        raise ValueError(_in_our_words(str(error))) from error


def plain_type(hint: Any) -> tuple[Any, msgspec.Meta]:
    """Return an annotation without ``Annotated`` and ``| None``, and what was annotated."""
    meta = msgspec.Meta()
    if get_origin(hint) is Annotated:
        hint, meta = get_args(hint)
    if get_origin(hint) in (UnionType, Union) and NoneType in get_args(hint):
        hint = Union[tuple(kind for kind in get_args(hint) if kind is not NoneType)]  # noqa: UP007 - made at run time
    return hint, meta


def element_type(kind: Any) -> Any:
    """Return the type of a tuple's elements; None if it is not a tuple."""
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def is_table(kind: Any) -> TypeGuard[type[msgspec.Struct]]:
    """Whether a type is a table of settings and not one setting."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def describe_type(hint: Any) -> str:
    """Return what to write for a setting of this type, for people."""
    kind, meta = plain_type(hint)
    element = element_type(kind)
    if element is not None:
        return f"a list, each {describe_type(element)}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join([f'"{member.value}"' for member in kind])
    if meta.pattern == HOST_NAME:
        return "a host name"
    return _DESCRIPTIONS[kind] + _describe_bounds(meta)


_DESCRIPTIONS: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    str: "text in quotes",
    timedelta: 'a duration such as "90s", "5m" or "72h"',
    Path: "a path in quotes",
    Network: 'a network such as "192.0.2.0/24" or "2001:db8::/32"',
    IPAddress: 'an IP address such as "192.0.2.1" or "2001:db8::1"',
    Secret[str]: "text in quotes",
    dict[str, str]: 'lines of the form "name" = "value"',
}


def to_toml(value: object) -> str:
    """Write a setting's value as TOML reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, timedelta):
        return f'"{format_duration(value)}"'
    if isinstance(value, Enum):
        return to_toml(value.value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join([to_toml(item) for item in value]) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join([f"{to_toml(name)} = {to_toml(item)}" for name, item in value.items()]) + "}"
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return msgspec.json.encode(str(value)).decode().replace("\x7f", "\\u007f")


def _parse_text(kind: Any, raw: object) -> object:
    if not isinstance(raw, str) or not raw or not raw.isprintable():
        raise ValueError("is not text in quotes")
    return _PARSERS[kind](raw)


def _describe_bounds(meta: msgspec.Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    return f", {meta.ge} or more" if meta.ge is not None else ""


def _in_our_words(text: str) -> str:
    # msgspec: "Expected `int` >= 1", "Expected `int`, got `str`", "Invalid enum value 'x'", each with " - at `$…`".
    text = text.partition(" - at ")[0].replace("`", "")
    if "matching regex" in text:
        return "has not the right form"
    return text[0].lower() + text[1:]
