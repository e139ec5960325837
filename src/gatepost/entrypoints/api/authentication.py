"""Authorization header → caller: a key, or a person in a session. Passwords are never taken here."""

import asyncio
import binascii
from typing import Final

from gatepost.entrypoints.api.operation import Operation
from gatepost.entrypoints.api.ports import Access, PeerAddress, Sessions
from gatepost.entrypoints.api.problem import (
    KEYS_ONLY,
    NO_CREDENTIAL,
    PEOPLE_ONLY,
    Problem,
    problem_of_access,
    problem_of_person,
    problem_of_trouble,
)
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import Transient
from gatepost.primitives.secret import Secret
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.authenticate import USERNAME, Refusal
from gatepost.tenancy.access.ip_access.attempt import AuthMethod
from gatepost.tenancy.access.person import Caller, CallerKind, Person
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.accounts.token import TokenKind

_MAX_HEADER_CHARACTERS: Final = 512

log = get_logger()


def read_authorization(header: str) -> tuple[str, Secret[bytes]] | None:
    """Return the user name and the password that the header offers; None if it offers none that could be a key.

    ``Bearer KEY``, or ``Basic`` with the user name ``apikey`` (RFC 6750 §2.1, RFC 7617). The scheme is read in any
    case, as RFC 9110 §11.1 has it.
    """
    scheme, _, credential = header.strip().partition(" ")
    if len(header) > _MAX_HEADER_CHARACTERS or not credential.isascii():
        return None
    match scheme.lower():
        case "bearer":
            return USERNAME, Secret(credential.strip().encode("ascii"))
        case "basic":
            try:
                pair = binascii.a2b_base64(credential.strip(), strict_mode=True)
            except binascii.Error:
                return None
            username, colon, password = pair.partition(b":")
            return (username.decode("utf-8", "replace"), Secret(password)) if colon else None
    return None


class Authentication:
    """Finds out who calls."""

    def __init__(self, access: Access, metrics: Metrics, sessions: Sessions) -> None:
        self._access = access
        self._metrics = metrics
        self._sessions = sessions

    async def identify(
        self, header: str, peer: PeerAddress, operation: Operation, *, client: str = ""
    ) -> Caller | Problem | None:
        """Return who calls, if he may call that operation; None where nobody has to be known."""
        if CallerKind.NOBODY in operation.callers:
            return None
        token = _read_session(header)
        if token is None:
            if CallerKind.KEY in operation.callers:
                return await self.authenticate(header, peer, scope=operation.scope, client=client)
            return PEOPLE_ONLY if read_authorization(header) else NO_CREDENTIAL
        if CallerKind.PERSON not in operation.callers:
            return KEYS_ONLY
        return await self._find_person(token, peer, operation)

    async def _find_person(self, token: Secret[bytes], peer: PeerAddress, operation: Operation) -> Person | Problem:
        try:
            found = await asyncio.to_thread(self._sessions.identify, token, peer, operation.need)
        except Transient as trouble:
            return problem_of_trouble(trouble)
        if not isinstance(found, Deny):
            return found
        log.info("session_refused", peer=str(peer), reason=found.reason.value)
        return problem_of_person(found)

    async def authenticate(
        self, header: str, peer: PeerAddress, *, scope: str | None, client: str = ""
    ) -> Principal | Problem:
        """Return who calls, if he may do what ``scope`` names; the refusal of a wrong key may be kept back a while."""
        credential = read_authorization(header)
        if credential is None:
            return NO_CREDENTIAL
        username, password = credential
        try:
            found = self._access.authenticate(
                username, password, peer, scope=scope, method=AuthMethod.API, client=client
            )
        except Transient as trouble:
            self._metrics.authentications.add("deferred")
            log.warning("authentication_deferred", peer=str(peer), reason=str(trouble))
            return problem_of_trouble(trouble)
        if not isinstance(found, Deny):
            self._metrics.authentications.add("accepted")
            return found
        self._metrics.authentications.add(found.reason.value)
        log.info("authentication_refused", peer=str(peer), reason=found.reason.value)
        if isinstance(found, Refusal) and found.delay:
            await asyncio.sleep(found.delay.total_seconds())
        return problem_of_access(found, sends_mail=scope == MAIL_SEND)


def _read_session(header: str) -> Secret[bytes] | None:
    """Return the token if the header offers a session's."""
    credential = read_authorization(header)
    if credential is None or not credential[1].reveal().startswith(TokenKind.SESSION.value.encode()):
        return None
    return credential[1]
