"""Authorization header → principal. The key is who calls; passwords and forwarded addresses are never believed."""

import asyncio
import binascii
from typing import Final

from gatepost.entrypoints.api.ports import Access, PeerAddress
from gatepost.entrypoints.api.problem import NO_CREDENTIAL, Problem, problem_of_access, problem_of_trouble
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import Transient
from gatepost.primitives.secret import Secret
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.authenticate import USERNAME, Refusal
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.scope import MAIL_SEND

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

    def __init__(self, access: Access, metrics: Metrics) -> None:
        self._access = access
        self._metrics = metrics

    async def authenticate(
        self, header: str, peer: PeerAddress, *, scope: str | None, client: str = ""
    ) -> Principal | Problem:
        """Return who calls, if he may do what ``scope`` names; the refusal of a wrong key may be kept back a while."""
        credential = read_authorization(header)
        if credential is None:
            return NO_CREDENTIAL
        username, password = credential
        try:
            found = self._access.authenticate(username, password, peer, scope=scope, client=client)
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
