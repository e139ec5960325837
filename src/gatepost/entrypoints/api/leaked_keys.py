"""``POST /gatepost/v1/leaked_keys``: who finds a key somewhere has it revoked, by its text, with the operator's token.

Outside ``/v3``, which is the dialect's, and outside tenancy: the token is no key of any account. For scanners and
their hooks. The answer has one shape for a key and for a text that is none, and both take the same way: looked up,
hashed, compared, and the mail workers asked.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatepost.entrypoints.api import problem as problems
from gatepost.entrypoints.api.body import decode_body
from gatepost.entrypoints.api.forwarded import ForwardedMalformed, Proxies
from gatepost.entrypoints.api.ports import PeerAddress, RightsChanged
from gatepost.entrypoints.api.problem import Errors, FieldError, Problem, invalid
from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import Misconfigured, RelayError, Transient
from gatepost.primitives.secret import Secret
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.leaked import RevokedKey, revoke_leaked
from gatepost.tenancy.access.ports import ApiKeyStore
from gatepost.tenancy.access.throttle import AuthenticationThrottle
from gatepost.tenancy.audit.entry import Actor, ActorKind

PATH: Final = "/gatepost/v1/leaked_keys"
MAX_KEYS: Final = 100
_MAX_BODY_OCTETS: Final = 1 << 16
_BODY_TIMEOUT_SECONDS: Final = 30
_HASHED: Final = re.compile(r"sha256:([0-9a-fA-F]{64})")
_MIN_TOKEN_CHARACTERS: Final = 32

log = get_logger()


class LeakedKeysReport(msgspec.Struct, frozen=True, kw_only=True):
    """Texts that were found where none should be."""

    keys: tuple[str, ...]


class LeakedKey(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one text, in its place; without an id it is no key of this service."""

    is_revoked: bool
    api_key_id: str | None = None
    account_id: str | None = None
    was_valid: bool = False


class LeakedKeysAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """As many as there were texts."""

    result: tuple[LeakedKey, ...]


def hash_token(configured: Secret[str]) -> bytes:
    """Return the hash that an offered token must have: of a token in the settings, or as it stands there.

    Raises:
        Misconfigured: It is too short for a token, or no such hash. It may be a token, so it is not repeated.
    """
    text = configured.reveal()
    if (hashed := _HASHED.fullmatch(text)) is not None:
        return bytes.fromhex(hashed[1])
    if len(text) < _MIN_TOKEN_CHARACTERS or text.startswith("sha256:"):
        raise Misconfigured(
            "api.leaked_key_token is neither `sha256:` with 64 hexadecimal digits nor a token of at least "
            f"{_MIN_TOKEN_CHARACTERS} characters: `openssl rand -hex 32` makes one"
        )
    return sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakedKeys:
    """An ASGI application.

    Attributes:
        token_hash: SHA-256 of the operator's token.
        keys_as: As for ``ApiKeys``.
        hash_secret: The keyring's.
    """

    token_hash: bytes
    keys_as: Callable[[Actor], ApiKeyStore]
    rights_changed: RightsChanged
    clock: Clock
    hash_secret: Callable[[bytes], bytes]
    throttle: AuthenticationThrottle
    proxies: Proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            outcome = await self._answer(request)
        except ClientDisconnect:
            return
        except RelayError as trouble:
            log.warning("leaked_keys_not_certain", reason=str(trouble))
            outcome = problems.problem_of_trouble(Transient(str(trouble)))
        except Exception:
            log.exception("leaked_keys_failed")
            outcome = problems.INTERNAL_ERROR
        await _respond(outcome)(scope, receive, send)

    async def _answer(self, request: Request) -> LeakedKeysAnswer | Problem:
        if request.method != "POST":
            return problems.method_not_allowed(["POST"])
        connected = ip_address(request.client.host.partition("%")[0] if request.client else "")
        try:
            peer = self.proxies.find_client(connected, request.headers.getlist(self.proxies.header))
        except ForwardedMalformed as error:
            return problems.forwarded_malformed(self.proxies.header, str(error))
        refusal = await self._authenticate(request.headers.get("authorization", ""), peer)
        if refusal is not None:
            return refusal
        octets = await _read(request)
        body = octets if isinstance(octets, Problem) else decode_body(LeakedKeysReport, octets)
        if isinstance(body, Problem):
            return body
        if not 1 <= len(body.keys) <= MAX_KEYS:
            return invalid([FieldError(message=f"1 to {MAX_KEYS} texts are taken at a time", field="keys")])
        return await self._revoke([text.encode() for text in body.keys], peer)

    async def _authenticate(self, header: str, peer: PeerAddress) -> Problem | None:
        now = self.clock.now()
        if not self.throttle.admits(peer, now):
            return problems.TOO_MANY
        scheme, _, token = header.strip().partition(" ")
        if scheme.lower() == "bearer" and compare_digest(sha256(token.strip().encode()).digest(), self.token_hash):
            return None
        log.info("leaked_keys_refused", peer=str(peer))
        await asyncio.sleep(self.throttle.penalize(peer, None, now).total_seconds())
        return problems.NO_CREDENTIAL

    async def _revoke(self, texts: Sequence[bytes], peer: PeerAddress) -> LeakedKeysAnswer:
        actor = Actor(kind=ActorKind.OPERATOR, id="leaked keys", origin=str(peer), credential="leaked-key token")
        found = await asyncio.to_thread(
            revoke_leaked, self.keys_as(actor), texts, hash_secret=self.hash_secret, now=self.clock.now()
        )
        for key in found:
            if key is not None:
                await self.rights_changed.settle_and_hold(key.account_id, key.key_id, reason="key leaked")
                log.warning("leaked_key_revoked", account_id=key.account_id, key_id=key.key_id, peer=str(peer))
        if not any(found):
            await self.rights_changed.settle()
        return LeakedKeysAnswer(result=tuple([_told(key) for key in found]))


def _told(key: RevokedKey | None) -> LeakedKey:
    if key is None:
        return LeakedKey(is_revoked=False)
    return LeakedKey(is_revoked=True, api_key_id=key.key_id, account_id=key.account_id, was_valid=key.was_valid)


async def _read(request: Request) -> bytes | Problem:
    octets = bytearray()
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_SECONDS):
            async for piece in request.stream():
                octets += piece
                if len(octets) > _MAX_BODY_OCTETS:
                    return problems.TOO_LARGE
    except TimeoutError:
        return problems.TOO_SLOW
    return bytes(octets)


def _respond(outcome: LeakedKeysAnswer | Problem) -> Response:
    if not isinstance(outcome, Problem):
        return Response(msgspec.json.encode(outcome), media_type="application/json")
    return Response(
        msgspec.json.encode(Errors(errors=outcome.errors)),
        status_code=outcome.status,
        headers={**outcome.headers, "Connection": "close"},
        media_type="application/json",
    )
