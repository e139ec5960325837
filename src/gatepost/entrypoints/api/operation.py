"""Operations: one method of one path, what it needs, takes and gives. Routes and the document are made of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from gatepost.entrypoints.api.ports import PeerAddress
from gatepost.entrypoints.api.problem import Problem
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.audit.entry import Actor, ActorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was authenticated, and read.

    Attributes:
        body: An instance of what the operation takes; None where it takes nothing.
        size_octets: How long the body was.
        parameters: Those of the path and of the query, by name.
        subuser: On whose behalf the principal's account, its parent, calls; None where it calls for itself.
        tls: Protocol and cipher.
    """

    principal: Principal
    peer: PeerAddress
    body: object = None
    size_octets: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    tls: str = ""
    subuser: Account | None = None

    @property
    def account_id(self) -> AccountId:
        """The account that is meant: not the principal's own, where it calls on behalf of a subuser."""
        return self.principal.account_id if self.subuser is None else self.subuser.id

    @property
    def actor(self) -> Actor:
        """Who calls, for the audit log."""
        return Actor(
            kind=ActorKind.KEY,
            id=self.principal.key_id,
            origin=str(self.peer),
            credential="api key",
            account="" if self.subuser is None else self.principal.account_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an operation gives: a status, and a struct or a tuple of structs unless the body is empty."""

    status: int
    body: msgspec.Struct | tuple[msgspec.Struct, ...] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        path: With parameters in braces: ``/v3/api_keys/{api_key_id}``.
        scope: The right it needs; None for what any valid key may do.
        run: Carries it out; a refusal is returned.
        takes: What its body must be: a struct, or a tuple of something.
        gives: By status, what the answer is: a struct, or a tuple of structs; None for an empty one.
        refuses: Statuses of its own, beside those that any request may meet.
        is_on_behalf: Whether a parent may call it on behalf of a subuser.
        query: Names of query parameters that are read, with what they do.
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
