"""Records of the form ``v=STSv1; name=value; …``, as RFC 8461 §3.1 and RFC 8460 §3 have them."""

import re

_FIELD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


def read_tags(text: str, version: str) -> dict[str, str]:
    """Return the fields behind the version, by name; the first of several of one name counts.

    Raises:
        ValueError: It is no such record; the text says what is wrong.
    """
    first, *rest = [part.strip() for part in text.split(";")]
    if first != version:
        raise ValueError(f"it does not begin with {version}")
    tags: dict[str, str] = {}
    for part in rest:
        if not part:
            continue
        name, is_field, value = part.partition("=")
        if not is_field or not _FIELD.fullmatch(name.strip()):
            raise ValueError(f"{part[:40]!r} is no field: write name=value, and a semicolon between two")
        tags.setdefault(name.strip(), value.strip())
    return tags
