"""Operations: one method of one path, what it needs, takes and gives. Routes and the document are made of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gatepost.entrypoints.api.ports import PeerAddress
from gatepost.entrypoints.api.problem import Problem
from gatepost.tenancy.access.people import Need
from gatepost.tenancy.access.person import Caller, CallerKind, Person, actor_of
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts.console_session import Step
from gatepost.tenancy.accounts.session_keeper import Visitor
from gatepost.tenancy.audit.entry import Actor

KEYS_ONLY: Final = frozenset({CallerKind.KEY})
PEOPLE_ONLY: Final = frozenset({CallerKind.PERSON})
KEYS_AND_PEOPLE: Final = KEYS_ONLY | PEOPLE_ONLY
NOBODY: Final = frozenset({CallerKind.NOBODY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was authenticated, and read.

    Attributes:
        caller: Who calls: a key or a person; None where nobody has to be known.
        body: An instance of what the operation takes; None where it takes nothing.
        size_octets: How long the body was.
        parameters: Those of the path and of the query, by name.
        tls: Protocol and cipher.
        client: What the client calls itself.
    """

    caller: Caller | None
    peer: PeerAddress
    body: msgspec.Struct | None = None
    size_octets: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    tls: str = ""
    client: str = ""

    @property
    def principal(self) -> Caller:
        """Who calls, where somebody must have been known."""
        assert self.caller is not None, "the operation takes callers that are known"
        return self.caller

    @property
    def key(self) -> Principal:
        """The calling key, where only keys may call."""
        assert isinstance(self.caller, Principal), "the operation takes keys only"
        return self.caller

    @property
    def person(self) -> Person:
        """The calling person, where only people may call."""
        assert isinstance(self.caller, Person), "the operation takes people only"
        return self.caller

    @property
    def actor(self) -> Actor:
        """Who calls, for the audit log."""
        return actor_of(self.principal, str(self.peer))

    @property
    def visitor(self) -> Visitor:
        """Where the request comes from."""
        return Visitor(peer=self.peer, client=self.client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an operation gives: a status, and a struct unless the body is empty."""

    status: int
    body: msgspec.Struct | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        path: With parameters in braces: ``/v3/api_keys/{api_key_id}``.
        scope: The right it needs; None for what any valid key, or any person who is signed in, may do.
        run: Carries it out; a refusal is returned.
        takes: The struct that its body must be.
        gives: By status, the struct of the answer; None for an empty one.
        refuses: Statuses of its own, beside those that any request may meet.
        query: Names of query parameters that are read, with what they do.
        callers: Who may call it.
        is_own: It is about the person who calls: he needs no scope for it, as a key does.
        needs_proof: A person must have shown his second factor in the last minutes.
        steps: In which sessions that are not signed in yet it may be called.
    """

    method: str
    path: str
    name: str
    summary: str
    scope: str | None
    run: Callable[[Call], Awaitable[Answer | Problem]]
    gives: Mapping[int, type[msgspec.Struct] | None]
    takes: type[msgspec.Struct] | None = None
    refuses: tuple[int, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    callers: frozenset[CallerKind] = KEYS_AND_PEOPLE
    is_own: bool = False
    needs_proof: bool = False
    steps: frozenset[Step] = frozenset()

    @property
    def need(self) -> Need:
        """What it asks of a person."""
        return Need(scope=None if self.is_own else self.scope, proof=self.needs_proof, steps=self.steps)
