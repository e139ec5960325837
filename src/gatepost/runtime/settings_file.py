"""A new settings file: what was chosen, and every other setting as a comment with its default and its reason."""

import textwrap
from collections.abc import Iterator, Mapping
from inspect import getdoc
from itertools import chain
from typing import Final, cast, get_type_hints

import msgspec

from gatepost.runtime.setting_types import element_type, is_table, plain_type, to_toml
from gatepost.runtime.settings import Settings

_HEADER: Final = """\
# Gatepost's settings. What is commented out shows the default; `gatepost check` says whether all of it works.
# The environment wins over this file: GATEPOST_HOST_NAME, GATEPOST_SUBMISSION__MAX_RECIPIENTS.
"""


def render_settings_file(chosen: Mapping[str, object]) -> str:
    """Write the file.

    Args:
        chosen: Values by key, such as ``{"host_name": …, "tls.certificate": …}``; tables of which there may be several
            (``listeners``) as a tuple of their structs.
    """
    return _HEADER + "\n".join(_table(Settings, "", chosen)).rstrip() + "\n"


def _table(struct: type[msgspec.Struct], path: str, chosen: Mapping[str, object]) -> Iterator[str]:
    hints = get_type_hints(struct, include_extras=True)
    tables: list[Iterator[str]] = []
    for field in msgspec.structs.fields(struct):
        kind, meta = plain_type(hints[field.name])
        if is_table(kind):
            tables.append(
                chain(_comment(getdoc(kind)), [f"[{path}{field.name}]"], _table(kind, f"{path}{field.name}.", chosen))
            )
        elif is_table(element_type(kind)):
            tables.append(_repeated_tables(field, chosen))
        else:
            yield from _setting(path, field, meta, chosen)
    # TOML wants them after the settings of the table around them.
    yield from chain.from_iterable(tables)


def _setting(
    path: str, field: msgspec.structs.FieldInfo, meta: msgspec.Meta, chosen: Mapping[str, object]
) -> Iterator[str]:
    yield from _comment(meta.description)
    value = chosen.get(path + field.name)
    if value is not None:
        yield f"{field.name} = {to_toml(value)}"
    else:
        yield f"# {field.name} = {to_toml(_default_or_example(field, meta))}"


def _default_or_example(field: msgspec.structs.FieldInfo, meta: msgspec.Meta) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    if field.default in (None, msgspec.NODEFAULT):
        return meta.examples[0] if meta.examples else ""
    return field.default


def _repeated_tables(field: msgspec.structs.FieldInfo, chosen: Mapping[str, object]) -> Iterator[str]:
    picked = chosen.get(field.name)
    mark, note = ("# ", " These are the default.") if picked is None else ("", "")
    values: tuple[msgspec.Struct, ...] = field.default if picked is None else cast("tuple[msgspec.Struct, ...]", picked)
    yield from _comment(f"{getdoc(field.default[0])}{note}")
    for value in values:
        yield f"{mark}[[{field.name}]]"
        yield from [f"{mark}{name} = {to_toml(getattr(value, name))}" for name in value.__struct_fields__]


def _comment(text: str | None) -> Iterator[str]:
    yield ""
    yield from textwrap.wrap(" ".join((text or "").split()), 110, initial_indent="# ", subsequent_indent="# ")
