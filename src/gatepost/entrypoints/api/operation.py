"""Operations: one method of one path, what it needs, takes and gives. Routes and the document are made of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gatepost.entrypoints.api.ports import PeerAddress
from gatepost.entrypoints.api.problem import Problem
from gatepost.tenancy.access.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was authenticated, and read.

    Attributes:
        body: An instance of what the operation takes; None where it takes nothing.
        octets: The body as it came.
        headers: Those that the operation reads, under the names it has for them.
        parameters: Those of the path and of the query, by name.
        tls: Protocol and cipher.
    """

    principal: Principal
    peer: PeerAddress
    body: msgspec.Struct | None = None
    octets: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tls: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an operation gives: a status, and a struct or a list of them unless the body is empty."""

    status: int
    body: msgspec.Struct | Sequence[msgspec.Struct] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        path: With parameters in braces: ``/v3/api_keys/{api_key_id}``.
        scope: The right it needs; None for what any valid key may do.
        run: Carries it out; a refusal is returned.
        takes: The struct that its body must be.
        gives: By status, the struct of the answer, or a tuple of them for a list; None for an empty one.
        refuses: Statuses of its own, beside those that any request may meet.
        query: Names of query parameters that are read, with what they do.
        headers: Names of header fields that are read, with what they do.
    """

    method: str
    path: str
    name: str
    summary: str
    scope: str | None
    run: Callable[[Call], Awaitable[Answer | Problem]]
    gives: Mapping[int, type[msgspec.Struct | tuple[Any, ...]] | None]
    takes: type[msgspec.Struct] | None = None
    refuses: tuple[int, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
