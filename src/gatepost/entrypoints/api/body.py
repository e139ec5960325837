"""Request bodies: octets → struct, or every error of shape in them at once.

A body is judged twice, as the dialect does it: first its shape, here, by the struct it must be; then, if that is
right, what it says (``v3/*_checks``).
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from gatepost.entrypoints.api.problem import BAD_REQUEST, NOT_UTF8, FieldError, Problem, invalid

S = TypeVar("S")

_MAX_ERRORS: Final = 50
_JSON_NAMES: Final[dict[type, str]] = {
    dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null",
}  # fmt: skip


def decode_body(struct: type[S], octets: bytes) -> S | Problem:
    """Make a struct, or a tuple, of a JSON body, or say everything that is wrong with its shape."""
    try:
        return _decode(struct, octets)
    except UnicodeDecodeError:
        return NOT_UTF8
    except (msgspec.DecodeError, RecursionError):
        return BAD_REQUEST


def _decode(struct: type[S], octets: bytes) -> S | Problem:
    try:
        return msgspec.json.decode(octets, type=struct)
    except msgspec.ValidationError as error:
        # The rest has not been looked at yet, and may be no JSON at all.
        given = msgspec.json.decode(octets)
        errors = list(islice(_find_shape_errors(inspect.type_info(struct), given, ""), _MAX_ERRORS))
        # Should the walk ever see less than the decoder: its own words are better than none.
        return invalid(errors or [FieldError(message=str(error))])


def _find_shape_errors(wanted: inspect.Type, given: Any, path: str) -> Iterator[FieldError]:
    if isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    expected, actual = _expected(wanted), _JSON_NAMES[type(given)]
    if expected not in {"", actual}:
        yield FieldError(message=f"Invalid type. Expected: {expected}, given: {actual}.", field=path or None)
        return
    for name, kind, item in _members(wanted, given):
        yield from _find_shape_errors(kind, item, f"{path}.{name}" if path else name)


def _members(wanted: inspect.Type, given: Any) -> Iterator[tuple[str, inspect.Type, Any]]:
    """Yield what stands inside a value of the right type: its name, what it must be, and what it is."""
    match wanted:
        case inspect.StructType():
            known = [(each.encode_name, each.type) for each in wanted.fields]
            yield from [(name, kind, given[name]) for name, kind in known if name in given]
        case inspect.VarTupleType():
            yield from [(str(index), wanted.item_type, item) for index, item in enumerate(given)]
        case inspect.DictType():
            yield from [(name, wanted.value_type, item) for name, item in given.items()]


def _expected(wanted: inspect.Type) -> str:
    match wanted:
        case inspect.StructType() | inspect.DictType():
            return "object"
        case inspect.VarTupleType():
            return "array"
        case inspect.StrType():
            return "string"
        case inspect.BoolType():
            return "boolean"
        case inspect.IntType():
            return "integer"
    return ""
