"""Operations: one method of one path, what it needs, takes and gives. Routes and the document are made of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from gatepost.entrypoints.api.ports import PeerAddress
from gatepost.entrypoints.api.problem import Problem
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.people import Need
from gatepost.tenancy.access.person import Caller, CallerKind, Person, actor_of
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts.account import Account
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
        octets: The body as it came.
        headers: Those that the operation reads, under the names it has for them.
        parameters: Those of the path and of the query, by name.
        subuser: On whose behalf the principal's account, its parent, calls; None where it calls for itself.
        tls: Protocol and cipher.
        client: What the client calls itself.
    """

    caller: Caller | None
    peer: PeerAddress
    body: object = None
    octets: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tls: str = ""
    client: str = ""
    subuser: Account | None = None

    @property
    def account_id(self) -> AccountId:
        """The account that is meant: not the caller's own, where he calls on behalf of a subuser."""
        return self.principal.account_id if self.subuser is None else self.subuser.id

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
        actor = actor_of(self.principal, str(self.peer))
        return actor if self.subuser is None else replace(actor, account=self.principal.account_id)

    @property
    def visitor(self) -> Visitor:
        """Where the request comes from."""
        return Visitor(peer=self.peer, client=self.client)


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
        scope: The right it needs; None for what any valid key, or any person who is signed in, may do.
        run: Carries it out; a refusal is returned.
        takes: What its body must be: a struct, or a tuple of something.
        gives: By status, what the answer is: a struct, or a tuple of structs; None for an empty one.
        refuses: Statuses of its own, beside those that any request may meet.
        is_on_behalf: Whether a parent may call it on behalf of a subuser.
        query: Names of query parameters that are read, with what they do.
        headers: Names of header fields that are read, with what they do.
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
    gives: Mapping[int, type[object] | None]
    takes: type[object] | None = None
    refuses: tuple[int, ...] = ()
    is_on_behalf: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    callers: frozenset[CallerKind] = KEYS_AND_PEOPLE
    is_own: bool = False
    needs_proof: bool = False
    steps: frozenset[Step] = frozenset()

    @property
    def need(self) -> Need:
        """What it asks of a person."""
        return Need(scope=None if self.is_own else self.scope, proof=self.needs_proof, steps=self.steps)
