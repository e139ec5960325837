"""``/v3/whitelabel/dns/email``: the records to publish are mailed to whoever looks after the DNS.

The letter goes to an address that somebody has named, so its text is the service's own: the dialect's ``message`` is
taken and not sent. How many go to an address, and from an account, is limited; each is in the audit log.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.entrypoints.api.letters import Letters
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.v3.subuser_bodies import number_of
from gatepost.entrypoints.api.v3.whitelabel import UNKNOWN, UPDATE, Whitelabel
from gatepost.primitives.errors import RelayError
from gatepost.standards.address import AddressError, parse_mailbox
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.person import id_of
from gatepost.tenancy.audit.entry import Act, Actor
from gatepost.tenancy.audit.recorder import Recorder
from gatepost.tenancy.senders.branding import plan_link
from gatepost.tenancy.senders.dns_plan import PlannedRecord, plan_records
from gatepost.tenancy.senders.domain import DomainId
from gatepost.tenancy.senders.letter_limit import LetterLimit

MAX_ADDRESS_OCTETS: Final = 254
_NOTHING: Final = problem(400, "say whose records: give domain_id or link_id", at="domain_id")
_NO_ADDRESS: Final = problem(400, "email must be an address like hostmaster@example.com", at="email")
_NOT_SENT: Final = problem(503, "the letter could not be queued: ask again")

log = get_logger()


class RecordsToMail(Struct, frozen=True, kw_only=True):
    """Whose records are to be mailed, and to whom."""

    email: Annotated[str | UnsetType, Meta(description="Required: to whom.")] = UNSET
    domain_id: Annotated[int | UnsetType, Meta(description="A domain of the account's; 0 for none.")] = UNSET
    link_id: Annotated[int | UnsetType, Meta(description="A link of the account's; 0 for none.")] = UNSET
    message: Annotated[
        str | UnsetType, Meta(description="Not sent: the letter may go to a stranger, so its text is the service's.")
    ] = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class WhitelabelDnsEmail:
    """Mails records of the caller's account.

    Attributes:
        recorder_as: The pen of an actor.
    """

    service: Whitelabel
    letters: Letters
    limit: LetterLimit
    recorder_as: Callable[[Actor], Recorder]

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        return (
            Operation(
                method="POST", path="/v3/whitelabel/dns/email", name="EmailDnsRecord",
                summary="Mail the records of a domain or of a link to whoever is to publish them.", scope=UPDATE,
                run=self.mail, takes=RecordsToMail, gives={204: None}, refuses=(404, 429),
            ),
        )  # fmt: skip

    async def mail(self, call: Call) -> Answer | Problem:
        """Mail the records of a domain, of a link, or of both."""
        wanted = cast("RecordsToMail", call.body)
        address = _read_address(wanted.email)
        if isinstance(address, Problem):
            return address
        if not (_number(wanted.domain_id) or _number(wanted.link_id)):
            return _NOTHING
        now = self.service.clock.now()

        def act() -> tuple[PlannedRecord, ...] | Problem:
            found = self._find(call, wanted)
            if found is None:
                return UNKNOWN
            subjects, records = found
            wait = self.limit.reserve(call.account_id, address, now)
            if wait is not None:
                return _too_many(wait)
            for subject in subjects:
                after = {"to": address}
                self.recorder_as(call.actor).record(
                    call.account_id, Act.DNS_RECORDS_MAILED, subject, before=None, after=after
                )
            return records

        records = await self.service.act(call, UPDATE, act)
        if isinstance(records, Problem):
            return records
        try:
            await self.letters.send_dns_records(address, [each.zone_line for each in records])
        except RelayError as error:
            log.warning("dns_records_letter_failed", account_id=call.account_id, reason=str(error))
            return _NOT_SENT
        log.info("dns_records_mailed", account_id=call.account_id, by=id_of(call.principal))
        return Answer(status=204)

    def _find(self, call: Call, wanted: RecordsToMail) -> tuple[list[str], tuple[PlannedRecord, ...]] | None:
        """Return what the letter is about, and its records; None if something is not the account's."""
        subjects: list[str] = []
        records: list[PlannedRecord] = []
        relay = self.service.relay
        if number := _number(wanted.domain_id):
            claim = self.service.domains.find_numbered(call.account_id, DomainId(number))
            if claim is None:
                return None
            subjects.append(f"domain/{claim.name}")
            records += _required(plan_records(claim, relay))
        if number := _number(wanted.link_id):
            link = self.service.find_link(call.account_id, number)
            if link is None:
                return None
            subjects.append(f"link/{link.subdomain}.{link.domain}")
            records += _required(plan_link(link, number_of(call.account_id), relay))
        return subjects, tuple(records)


def _required(plan: Iterable[PlannedRecord]) -> list[PlannedRecord]:
    return [each for each in plan if each.is_required]


def _number(value: int | UnsetType) -> int:
    # What is no number of ours is nobody's: they begin with 1, and the database's integers end.
    return value if isinstance(value, int) and 0 < value < 1 << 31 else -1 if value else 0


def _read_address(text: str | UnsetType) -> str | Problem:
    if isinstance(text, UnsetType) or not 0 < len(text.encode("utf-8", "replace")) <= MAX_ADDRESS_OCTETS:
        return _NO_ADDRESS
    try:
        return str(parse_mailbox(text.strip().encode(), allow_utf8=True))
    except (AddressError, UnicodeEncodeError):
        return _NO_ADDRESS


def _too_many(wait: timedelta) -> Problem:
    text = "too many letters to that address, or by this account, within a day"
    return problem(429, text, headers={"Retry-After": str(int(wait.total_seconds()) + 1)})
