"""``docs/reference/openapi.json``: what the API takes and gives, out of its operations."""

from collections.abc import Iterator
from typing import Any

from gatepost.entrypoints.api.openapi import render_document
from gatepost.runtime.compose_api import compose_operations


class _Nothing:
    """Stands for everything that operations rest on: they are described without being run."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_arguments: object, **_named: object) -> Any:
        return self

    def __truediv__(self, _name: object) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __bool__(self) -> bool:
        return False


def render() -> str:
    """Return the document of exactly those operations that the service composes."""
    nothing: Any = _Nothing()
    return render_document(compose_operations(nothing, nothing)).decode("utf-8")
