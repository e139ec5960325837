"""The Idempotency-Key header: a request that is made again is answered again, and not carried out again.

draft-ietf-httpapi-idempotency-key-header: the same token with another body is 422, one whose first request is still
under way is 409. A request that was refused, or could not be stored, is not remembered: it may be made again.

Between claim and release nobody else on this machine carries out the same request. A process that ends lets go of its
claims by that, so that who comes next either finds what it committed, or may do it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol

from gatepost.entrypoints.api.operation import Answer, Call
from gatepost.entrypoints.api.problem import IN_FLIGHT, Problem, problem
from gatepost.mailflow.queue.idempotency import REMEMBERED_FOR, RequestRecord
from gatepost.primitives.clock import Clock
from gatepost.primitives.ids import KeyId

HEADER: Final = "Idempotency-Key"
DESCRIPTION: Final = (
    "Names the request, 1 to 255 printable ASCII characters, as text or in quotes: made again within 24 hours with the "
    "same API key, token and body, it gets the same answer, and nothing is sent again."
)

_TOKEN: Final = re.compile(r'"([ !#-\[\]-~]{1,255})"|([!#-~][ !#-~]{0,254})')
_MALFORMED: Final = problem(400, f"{HEADER} must be 1 to 255 printable ASCII characters", at=HEADER)
_OTHER_BODY: Final = problem(
    422, f"this {HEADER} was used for a request with another body: choose a new one for each request", at=HEADER
)
_MAX_OCTETS_ON_THE_LOOP: Final = 1 << 18


class PastRequests(Protocol):
    """Requests of all processes of this machine: those under way, and those that were carried out."""

    def claim(self, key_id: KeyId, token: str) -> AbstractContextManager[None] | None:
        """Claim a request, until the end of the block or of the process; None while it is claimed."""
        ...

    def find(self, key_id: KeyId, token: str, since: datetime) -> RequestRecord | None:
        """Return the record of a claimed request that was carried out since; it is then on stable storage. Blocks.

        Raises:
            Transient: It cannot be known now.
        """
        ...


class Once:
    """Carries out requests that name themselves, once each."""

    def __init__(self, past: PastRequests, clock: Clock) -> None:
        self._past = past
        self._clock = clock
        self._under_way: set[asyncio.Task[Answer | Problem]] = set()

    async def carry_out(
        self,
        call: Call,
        act: Callable[[tuple[str, bytes] | None], Awaitable[Answer | Problem]],
        replay: Callable[[RequestRecord], Answer],
    ) -> Answer | Problem:
        """Carry out a request, or answer as before.

        Args:
            call: The request.
            act: Carries it out, given the token and the fingerprint to be recorded; None for a request without token.
            replay: The answer to a request that was carried out.
        """
        header = call.headers.get(HEADER)
        if header is None:
            return await act(None)
        found = _TOKEN.fullmatch(header.strip())
        if found is None:
            return _MALFORMED
        token = found[1] or found[2]
        claim = self._past.claim(call.key.key_id, token)
        if claim is None:
            return IN_FLIGHT
        # A task of its own: should whoever asked go away, the claim is held until it is known what was committed.
        task = asyncio.get_running_loop().create_task(self._carry_out(call, token, claim, act, replay))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _carry_out(
        self,
        call: Call,
        token: str,
        claim: AbstractContextManager[None],
        act: Callable[[tuple[str, bytes] | None], Awaitable[Answer | Problem]],
        replay: Callable[[RequestRecord], Answer],
    ) -> Answer | Problem:
        with claim:
            since = self._clock.now() - REMEMBERED_FOR
            before = await asyncio.to_thread(self._past.find, call.key.key_id, token, since)
            fingerprint = await _fingerprint(call.octets)
            if before is None:
                return await act((token, fingerprint))
            return replay(before) if before.fingerprint == fingerprint else _OTHER_BODY


async def _fingerprint(octets: bytes) -> bytes:
    if len(octets) > _MAX_OCTETS_ON_THE_LOOP:
        return await asyncio.to_thread(lambda: sha256(octets).digest())
    return sha256(octets).digest()
