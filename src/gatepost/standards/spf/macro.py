"""Macros, ``%{ir}.%{v}._spf.%{d}``: the notation for names made at evaluation (RFC 7208 §7)."""

import re
from collections.abc import Mapping
from urllib.parse import quote

_EXPAND = re.compile(r"%(?:\{([slodiphcrtv])([0-9]*)(r?)([-.+,/_=]*)\}|([%_-]))", re.IGNORECASE)
_LITERAL = re.compile(r"[\x21-\x24\x26-\x7e]*")
_LITERAL_OR_SPACE = re.compile(r"[\x20-\x24\x26-\x7e]*")
_TOP_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE)
_ONLY_IN_EXPLANATIONS = frozenset("crt")
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}


class MacroError(ValueError):
    """The text is no macro string, or no domain specification; the message says why."""


def check_macro_string(text: str, *, is_explanation: bool = False) -> None:
    """Check the syntax of a macro string.

    Args:
        text: The string.
        is_explanation: Whether it is what ``exp=`` points to, where spaces and the macros c, r and t are allowed.

    Raises:
        MacroError: A percent sign that begins no macro, a macro out of place, or a character not allowed.

    Source: RFC 7208 §7.1.
    """
    literal = _LITERAL_OR_SPACE if is_explanation else _LITERAL
    if not literal.fullmatch(_EXPAND.sub("", text)):
        raise MacroError(f"{text!r} holds a character or macro that is not allowed")
    for letter, digits, _, _, _ in _EXPAND.findall(text):
        if letter.lower() in _ONLY_IN_EXPLANATIONS and not is_explanation:
            raise MacroError(f"{text!r} holds the macro %{{{letter}}}, which only explanations may")
        if digits and not int(digits[:9]):
            raise MacroError(f"{text!r} asks for none of the parts of a macro")


def check_domain_spec(text: str) -> None:
    """Check that a macro string may stand for a domain: it ends in a macro, or in a dot and a top-level label.

    Raises:
        MacroError: It is no macro string, or ends in something else.

    Source: RFC 7208 §7.1, ``domain-end``.
    """
    check_macro_string(text)
    end = 0
    for macro in _EXPAND.finditer(text):
        end = macro.end()
    _, dot, label = text[end:].removesuffix(".").rpartition(".")
    if end == len(text) > 0:
        return
    if not dot or not _TOP_LABEL.fullmatch(label) or label.isdigit():
        raise MacroError(f"{text!r} is no domain")


def holds_macro(text: str, letter: str) -> bool:
    """Say whether the macro of that lower-case letter occurs."""
    return any(found[0].lower() == letter for found in _EXPAND.findall(text))


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace the macros of a checked string.

    Args:
        text: The string; it has passed ``check_macro_string``.
        values: The value of every macro letter, lower case, that the string holds.

    Source: RFC 7208 §7.2, §7.3. A letter in upper case asks for URL escaping.
    """

    def replace(macro: re.Match[str]) -> str:
        letter, digits, reverse, delimiters, escape = macro.groups()
        if escape:
            return _ESCAPES[escape]
        value = _transform(values[letter.lower()], digits, reverse=bool(reverse), delimiters=delimiters)
        return quote(value, safe="-._~") if letter.isupper() else value

    return _EXPAND.sub(replace, text)


def _transform(value: str, digits: str, *, reverse: bool, delimiters: str) -> str:
    if not (digits or reverse or delimiters):
        return value
    parts = re.split(f"[{re.escape(delimiters or '.')}]", value)
    if reverse:
        parts.reverse()
    if digits:
        parts = parts[-int(digits[:9]) :]
    return ".".join(parts)
