"""The service's own mail, through the same door as everybody's: invitations, and what people must be told.

It goes out in the name that the operator has set, which some account has verified like any other: the message is that
account's in queue and books, and signed with its keys. It has no API key, so it is bound to nobody's but the operator's
word; all that is asked of an author and of recipients is asked of it too.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Protocol

from gatepost.mailflow.envelope import Origin
from gatepost.mailflow.submission.compose import BOUNDARY_OCTETS, Draft, compose
from gatepost.mailflow.submission.policy import SubmissionDenial
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.decision import Deny
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.ids import KeyId, MessageId
from gatepost.standards.address import Mailbox, parse_mailbox
from gatepost.standards.message.header_build import NamedMailbox
from gatepost.standards.message.mime_build import build_text
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.person_ports import AddressRefused
from gatepost.tenancy.senders.alignment import VerifiedDomains

SYSTEM_KEY: Final = KeyId("gatepost")
"""What stands in place of a key's id in queue and events; no key can have it."""


class OwnDoor(Protocol):
    """The one door, opened with ``OwnRights``."""

    async def accept(self, submission: Submission) -> MessageId | Deny:
        """Take a message or say why not."""
        ...


class OwnRights:
    """Implements CurrentRights for the service itself: a right that nobody holds by a credential cannot be revoked."""

    def recheck(self, principal: Principal, peer: IPv4Address | IPv6Address) -> Principal | Deny:  # noqa: ARG002 - the port's
        """Return the principal as it is."""
        assert principal.key_id == SYSTEM_KEY, "only the service's own mail goes through here"
        return principal


class QueuedSystemMail:
    """Implements SystemMailer."""

    def __init__(
        self,
        *,
        author: str | None,
        door: OwnDoor,
        domains: VerifiedDomains,
        entropy: Entropy,
        on_refusal: Callable[[str], None],
    ) -> None:
        self._author: Final = None if author is None else parse_mailbox(author.encode(), allow_utf8=False)
        self._door: Final = door
        self._domains: Final = domains
        self._entropy: Final = entropy
        self._on_refusal: Final = on_refusal

    async def send(self, to: str, subject: str, text: str) -> None:
        """Have a message on stable storage, queued. Raises as the port says."""
        author, principal = self._find_sender()
        draft = Draft(
            author=NamedMailbox(author, "Gatepost"),
            to=(NamedMailbox(parse_mailbox(to.encode(), allow_utf8=False)),),
            subject=subject,
            texts=(build_text("text/plain", text),),
            headers=(("Auto-Submitted", "auto-generated"),),
        )
        envelope, content = compose(draft, self._entropy.draw(BOUNDARY_OCTETS))
        origin = Origin(protocol="ESMTP", peer_address="127.0.0.1", greeting="gatepost")
        outcome = await self._door.accept(
            Submission(principal=principal, envelope=envelope, content=content, origin=origin)
        )
        if isinstance(outcome, Deny):
            if outcome.reason is SubmissionDenial.RECIPIENT_NOT_ROUTABLE:
                raise AddressRefused(f"no mail can be sent to that address: {outcome.reason.value}")
            self._on_refusal(outcome.reason.value)
            raise Misconfigured(f"the service's own mail was refused: {outcome.reason.value}")

    def _find_sender(self) -> tuple[Mailbox, Principal]:
        if self._author is None:
            raise Misconfigured("this service has no address for its own mail: set `author` in [system_mail]")
        domain = self._domains.find_deciding(self._author.domain)
        if domain is None:
            raise Misconfigured(
                f"system_mail.author is {self._author}, and no account has verified that domain: do so with "
                "`gatepost domain add` and `gatepost domain verify`"
            )
        return self._author, Principal(
            account_id=domain.account_id,
            account_state=AccountState.ACTIVE,
            key_id=SYSTEM_KEY,
            scopes=frozenset({MAIL_SEND}),
        )
