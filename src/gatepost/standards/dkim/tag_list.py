"""Tag lists, ``name=value; name=value``: the notation of DKIM-Signature fields and key records (RFC 6376 §3.2)."""

import re

_FOLD = re.compile(rb"\r\n(?=[ \t])")
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_VALUE = re.compile(rb"[\x21-\x3a\x3c-\x7e\x80-\xff \t]*")
_WSP = b" \t"


class TagListError(ValueError):
    """The text is no tag list; the message says why, in words for a postmaster."""


def parse_tag_list(text: bytes) -> dict[str, str]:
    """Read a tag list into its tags, in order; values keep white space inside, not outside.

    Args:
        text: What follows the colon of the field, folded or not, or a whole TXT record.

    Raises:
        TagListError: A part is no ``name=value``, a name comes twice (which voids the whole list), or an octet is out
            of place. UTF-8 is taken in values (RFC 8616), invalid UTF-8 is not.
    """
    tags: dict[str, str] = {}
    parts = _FOLD.sub(b"", text).strip(b" \t\r\n").split(b";")
    if len(parts) > 1 and not parts[-1].strip(_WSP):
        parts.pop()
    for part in parts:
        name, equals, value = part.partition(b"=")
        name, value = name.strip(_WSP), value.strip(_WSP)
        if not equals or not _NAME.fullmatch(name):
            raise TagListError(f"{_shown(part)} is not of the form name=value")
        key = name.decode("ascii")
        if key in tags:
            raise TagListError(f"the tag {key}= occurs twice")
        if not _VALUE.fullmatch(value):
            raise TagListError(f"the tag {key}= holds a character that is not allowed")
        try:
            tags[key] = value.decode("utf-8")
        except UnicodeDecodeError:
            raise TagListError(f"the tag {key}= is not valid UTF-8") from None
    return tags


def without_white_space(value: str) -> str:
    """Remove spaces and tabs, which mean nothing inside base64 and colon-separated values."""
    return value.replace(" ", "").replace("\t", "")


def _shown(part: bytes) -> str:
    text = part.decode("ascii", "backslashreplace").strip()
    return repr(text if len(text) <= 40 else text[:40] + "…")
