"""One path of the API: from an HTTP request to an operation and back, in an order that never changes.

Who calls is known before anything of the body is read; a body that nobody read ends its connection.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from math import ceil
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatepost.entrypoints.api import problem as problems
from gatepost.entrypoints.api.authentication import Authentication
from gatepost.entrypoints.api.body import decode_body
from gatepost.entrypoints.api.forwarded import ForwardedMalformed, Proxies
from gatepost.entrypoints.api.on_behalf import find_subuser
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.ports import PeerAddress, Subusers
from gatepost.entrypoints.api.problem import Errors, Problem
from gatepost.entrypoints.api.rate_limit import RateLimit
from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import Permanent, Transient
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.honey import HONEY_SCOPES
from gatepost.tenancy.access.person import Caller
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.accounts.account import Account

_JSON: Final = "application/json"
#: So much of a body that is refused unread is taken off the wire, so that its sender gets to read why.
_MAX_DISCARDED_OCTETS: Final = 1 << 16
_MAX_PARAMETER_CHARACTERS: Final = 256

log = get_logger()


class BodyBudget:
    """Bounds how many octets of bodies are held at a time, by all requests together."""

    def __init__(self, octets: int) -> None:
        self._left = octets

    def take(self, octets: int) -> bool:
        """Set octets aside as they arrive; return whether there was room."""
        if octets > self._left:
            return False
        self._left -= octets
        return True

    def give_back(self, octets: int) -> None:
        """Let go of them."""
        self._left += octets


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointServices:
    """What all endpoints of a process share; ``body_timeout`` bounds how long one body may take to arrive."""

    authentication: Authentication
    subusers: Subusers
    rate_limit: RateLimit
    proxies: Proxies
    budget: BodyBudget
    clock: Clock
    metrics: Metrics
    max_body_octets: int
    body_timeout: timedelta


class Endpoint:
    """An ASGI application: all operations of one path."""

    def __init__(self, services: EndpointServices, operations: Sequence[Operation]) -> None:
        self._services = services
        self._operations = {operation.method: operation for operation in operations}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        operation = self._operations.get(request.method)
        name = operation.name if operation else "none"
        try:
            response = await self._answer(request, operation)
        except ClientDisconnect:
            self._services.metrics.api_requests.add(name, "gone")
            return
        except Exception:
            log.exception("api_request_failed", operation=name)
            response = _respond(problems.INTERNAL_ERROR, {})
        self._services.metrics.api_requests.add(name, str(response.status_code))
        await response(scope, receive, send)

    async def _answer(self, request: Request, operation: Operation | None) -> Response:
        headers: dict[str, str] = {}
        outcome = await self._decide(request, operation, headers)
        if isinstance(outcome, Problem) and not await _is_body_done(request):
            headers["Connection"] = "close"
        return _respond(outcome, headers)

    async def _decide(self, request: Request, operation: Operation | None, headers: dict[str, str]) -> Answer | Problem:
        services = self._services
        if operation is None:
            return problems.method_not_allowed(sorted(self._operations))
        try:
            peer = services.proxies.find_client(_peer(request), request.headers.getlist(services.proxies.header))
        except ForwardedMalformed as error:
            log.warning("forwarded_address_refused", proxy=str(_peer(request)), reason=str(error))
            return problems.forwarded_malformed(services.proxies.header, str(error))
        of_address = services.rate_limit.take_of_address(peer, services.clock.now())
        if of_address.retry_after:
            return problems.too_many_requests(ceil(of_address.retry_after.total_seconds()))
        header = request.headers.get("authorization", "")
        client = request.headers.get("user-agent", "")
        caller = await services.authentication.identify(header, peer, operation, client=client)
        if isinstance(caller, Problem):
            return caller
        allowance = services.rate_limit.take(caller, services.clock.now()) if caller else of_address
        headers.update(allowance.headers())
        if allowance.retry_after:
            return problems.too_many_requests(ceil(allowance.retry_after.total_seconds()))
        wanted = request.headers.get("on-behalf-of", "")
        subuser = find_subuser(wanted, operation, caller.account_id if caller else None, services.subusers)
        if isinstance(subuser, Problem):
            return subuser
        return await self._read_and_run(request, operation, caller, peer, subuser)

    async def _read_and_run(
        self,
        request: Request,
        operation: Operation,
        caller: Caller | None,
        peer: PeerAddress,
        subuser: Account | None,
    ) -> Answer | Problem:
        call = Call(
            caller=caller,
            peer=peer,
            parameters=_parameters(request, operation),
            headers={name: request.headers[name] for name in operation.headers if name in request.headers},
            tls=request.scope.get("state", {}).get("tls", ""),
            client=request.headers.get("user-agent", ""),
            subuser=subuser,
        )
        pieces: list[bytes] = []
        try:
            if operation.takes is not None:
                refusal = self._check_header(request) or await self._read(request, pieces)
                if refusal is not None:
                    return refusal
                octets = b"".join(pieces)
                body = decode_body(operation.takes, octets)
                if isinstance(body, Problem):
                    return body
                call = replace(call, body=body, octets=octets)
            _refuse_honey(caller, operation)
            return await operation.run(call)
        except (Transient, Permanent) as trouble:
            log.warning("api_store_trouble", operation=operation.name, reason=str(trouble))
            return problems.problem_of_trouble(trouble)
        finally:
            self._services.budget.give_back(sum(map(len, pieces)))

    def _check_header(self, request: Request) -> Problem | None:
        headers = request.headers
        if headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            return problems.NOT_JSON
        if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            return problems.NOT_PLAIN
        if int(headers.get("content-length", "0")) > self._services.max_body_octets:
            return problems.TOO_LARGE
        return None

    async def _read(self, request: Request, pieces: list[bytes]) -> Problem | None:
        """Read the body into ``pieces``, each of which is taken from the budget."""
        left = self._services.max_body_octets
        try:
            async with asyncio.timeout(self._services.body_timeout.total_seconds()):
                async for piece in request.stream():
                    left -= len(piece)
                    if left < 0:
                        return problems.TOO_LARGE
                    if not self._services.budget.take(len(piece)):
                        return problems.NO_ROOM
                    pieces.append(piece)
        except TimeoutError:
            return problems.TOO_SLOW
        return None


def _refuse_honey(caller: Caller | None, operation: Operation) -> None:
    """As the one door does it with mail: a honey key's holder hears what anybody hears when there is trouble."""
    changes = operation.method != "GET" and operation.scope != MAIL_SEND
    is_beyond = operation.scope is not None and operation.scope not in HONEY_SCOPES
    if (changes or is_beyond) and isinstance(caller, Principal) and caller.is_honey:
        raise Transient("a honey key was used: nothing is done under it")


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request for a path that does not exist; an ASGI application."""
    if scope["type"] == "http":
        headers = {} if await _is_body_done(Request(scope, receive)) else {"Connection": "close"}
        await _respond(problems.NOT_FOUND, headers)(scope, receive, send)


def _peer(request: Request) -> PeerAddress:
    # The address of the connection, which nobody can write into a header: a client's, or a proxy's.
    host = request.client.host if request.client else ""
    return ip_address(host.partition("%")[0])


def _parameters(request: Request, operation: Operation) -> dict[str, str]:
    # One that is given several times is a list, as clients write them.
    query = {
        name: ",".join(request.query_params.getlist(name)) for name in operation.query if name in request.query_params
    }
    path = {name: str(value) for name, value in request.path_params.items()}
    return {name: value[:_MAX_PARAMETER_CHARACTERS] for name, value in (query | path).items()}


async def _is_body_done(request: Request) -> bool:
    """Take the rest of a small body off the wire; say whether none is left."""
    length = request.headers.get("content-length", "")
    if "transfer-encoding" in request.headers or (length and int(length) > _MAX_DISCARDED_OCTETS):
        return False
    try:
        async with asyncio.timeout(5):
            async for _ in request.stream():
                pass
    except TimeoutError:
        return False
    except RuntimeError:
        # It had been read to its end, or the refusal says itself that the connection ends.
        return True
    return True


def _respond(outcome: Answer | Problem, headers: Mapping[str, str]) -> Response:
    body = Errors(errors=outcome.errors) if isinstance(outcome, Problem) else outcome.body
    status = outcome.status
    content = b"" if body is None else msgspec.json.encode(body)
    media_type = "text/plain" if body is None else _JSON
    response = Response(content, status_code=status, headers={**headers, **outcome.headers})
    if status != 204:
        response.headers["Content-Type"] = media_type if body is not None else f"{media_type}; charset=utf-8"
    return response
