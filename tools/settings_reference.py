"""docs/reference/settings.md, from the settings themselves."""

from collections.abc import Iterator
from inspect import getdoc
from typing import Any, get_type_hints

import msgspec

from gatepost.runtime.setting_types import describe_type, element_type, is_table, plain_type, to_toml
from gatepost.runtime.settings import Settings

INTRODUCTION = """\
# Settings

Made from `src/gatepost/runtime/settings.py` by `tools/settings_reference.py`; do not edit.

Settings stand in one TOML file (`gatepost.toml`; named by `--config` or `GATEPOST_CONFIG`). The environment wins over
the file: `GATEPOST_STATE_DIR`, or `GATEPOST_SUBMISSION__MAX_RECIPIENTS` with two underscores between a table and its
setting. A relative path is meant from the folder of the file. Durations are text with a unit: `"500ms"`, `"90s"`,
`"5m"`, `"72h"`, `"7d"`, `"1h30m"`. What is not known is an error. `gatepost check` says whether all of it works.
"""


def render() -> str:
    """Return the whole reference."""
    return "\n".join([INTRODUCTION, *_table(Settings, "")]).rstrip() + "\n"


def _table(struct: type[msgspec.Struct], path: str) -> Iterator[str]:
    inner = []
    yield f"## {_heading(path)}\n\n{getdoc(struct)}\n"
    yield "| setting | what it decides | write | default |\n|---|---|---|---|"
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        kind, meta = plain_type(hints[field.name])
        if is_table(kind):
            inner.append((kind, field.name))
        elif is_table(element_type(kind)):
            inner.append((element_type(kind), f"[{field.name}]"))
        else:
            cells = (f"`{field.name}`", meta.description, describe_type(hints[field.name]), _default(field))
            yield "| " + " | ".join([str(cell).replace("|", "\\|") for cell in cells]) + " |"
    yield ""
    for child, name in inner:
        yield from _table(child, name)


def _heading(path: str) -> str:
    return f"`[{path}]`" if path else "At the top"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "must be set"
    if field.default is None:
        return "unset"
    value: Any = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return f"`{to_toml(value)}`"
