"""Notifier: mails people what was done to them and to their account, as the audit log has it.

It follows the log instead of being called by what is done: so no act waits for mail or fails with it, every way in is
covered, the operator's command line too, and what was done while no mail could be queued is told later. What is told
is told at least once: a crash between the letter and the note of it may send it again.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gatepost.primitives.errors import Misconfigured, Permanent, Transient
from gatepost.primitives.ids import AccountId, TeammateId
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.accounts.attempt_limit import AttemptKind, count_as
from gatepost.tenancy.accounts.notice import Notice, Reader, find_notice
from gatepost.tenancy.accounts.person_ports import SystemMailer
from gatepost.tenancy.accounts.ports import LogPlace, NoticeCursors
from gatepost.tenancy.accounts.session_keeper import ATTEMPT_OCTETS, PeopleTools, subject
from gatepost.tenancy.accounts.teammate import Role, Teammate
from gatepost.tenancy.audit.entry import Act, ActorKind, AuditEvent
from gatepost.tenancy.audit.ports import AuditLog

TOLD_FOR: Final = timedelta(hours=24)
"""What is older is told to nobody: it is no news, and nobody wants a week of it when mail works again."""

_CLOSING: Final = (
    "If you know of all this, there is nothing to do. There is no link here on purpose: sign in as you always do.\n"
    "At most 10 notices of one kind are mailed to you in a day; the account's audit log has everything.\n"
)
_ACCOUNTS_AT_ONCE: Final = 50
_ENTRIES_AT_ONCE: Final = 200

log = get_logger()


@dataclass(frozen=True, slots=True)
class _Item:
    """One act as one reader is told of it."""

    notice: Notice
    event: AuditEvent
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    """What one person is told at a time, at one address."""

    person: Teammate
    address: str
    items: Sequence[_Item]


class Notifier:
    """Goes through the audit log of each account, and mails. One of all processes is to do so at a time."""

    def __init__(
        self,
        tools: PeopleTools,
        *,
        audit: AuditLog,
        cursors: NoticeCursors,
        mailer: SystemMailer,
        host_name: str,
        metrics: Metrics,
    ) -> None:
        self._tools: Final = tools
        self._audit: Final = audit
        self._cursors: Final = cursors
        self._mailer: Final = mailer
        self._host_name: Final = host_name
        self._metrics: Final = metrics

    def is_behind(self) -> bool:
        """Whether anything was done since the last time; a look that changes nothing."""
        return bool(self._cursors.list_behind(1))

    async def catch_up(self) -> None:
        """Tell of what was done since the last time, in up to so many accounts.

        Raises:
            Transient: The letter that is due could not be queued, or the store does not answer. The next call tells.
        """
        for place in await asyncio.to_thread(self._cursors.list_behind, _ACCOUNTS_AT_ONCE):
            letters, sequence = await asyncio.to_thread(self._read, place)
            for letter in letters:
                await self._send(letter)
            await asyncio.to_thread(self._cursors.advance, place.account_id, sequence)

    def _read(self, place: LogPlace) -> tuple[list[_Letter], int]:
        """Return the letters that the next entries ask for, and the number of the last of these entries."""
        try:
            entries = self._audit.list_after(place.account_id, place.told, _ENTRIES_AT_ONCE)
        except Permanent as error:
            # Whoever altered the log is found by its verifier; what can be read of it later is still to be told.
            log.error("notices_skipped", account_id=place.account_id, reason=str(error))  # noqa: TRY400 - the text says it all
            return [], place.last
        since = self._tools.clock.now() - TOLD_FOR
        told: dict[tuple[TeammateId, str], tuple[Teammate, list[_Item]]] = {}
        addresses: dict[str, str] = {}
        # From the last back: what was done before an address was changed, that change too, is told at the old one.
        for event in [entry.event for entry in reversed(entries) if entry.event.at > since]:
            if event.act is Act.EMAIL_CHANGED:
                addresses[event.subject] = str((event.before or {})["email"])
            notice = find_notice(event)
            if notice is None:
                continue
            item = _Item(notice, event, self._describe_actor(event))
            for person in self._find_readers(notice, event):
                address = addresses.get(subject(person), person.email)
                told.setdefault((person.id, address), (person, []))[1].insert(0, item)
        letters = [_Letter(person=who, address=at, items=items) for (_, at), (who, items) in told.items()]
        return letters, entries[-1].sequence if entries else place.last

    def _find_readers(self, notice: Notice, event: AuditEvent) -> Collection[Teammate]:
        """Return who is told, each once."""
        found: dict[TeammateId, Teammate] = {}
        for reader in notice.readers:
            match reader:
                case Reader.OWNER:
                    people = self._find_owners(event.account_id)
                case Reader.ACTOR:
                    people = self._find(event.account_id, TeammateId(event.actor.id))
                case Reader.PERSON:
                    people = self._find(event.account_id, TeammateId(event.subject.removeprefix("teammate/")))
            found |= {person.id: person for person in people}
        return found.values()

    def _find(self, account_id: AccountId, person_id: TeammateId) -> list[Teammate]:
        person = self._tools.stores.teammates.find(account_id, person_id)
        return [] if person is None else [person]

    def _find_owners(self, account_id: AccountId) -> list[Teammate]:
        people = self._tools.stores.teammates.list_all(account_id)
        owners = [each for each in people if each.role is Role.OWNER]
        account = None if owners else self._tools.accounts.find(account_id)
        if account is None or account.parent_id is None:
            return owners
        above = self._tools.stores.teammates.list_all(account.parent_id)
        return [each for each in above if each.role is Role.OWNER]

    def _describe_actor(self, event: AuditEvent) -> str:
        """Say who did it, in words of ours."""
        actor = event.actor
        match actor.kind:
            case ActorKind.OPERATOR:
                return "whoever runs this service"
            case ActorKind.SERVICE:
                return "this service itself"
            case ActorKind.KEY:
                who = f"the API key {actor.id}"
            case ActorKind.PERSON:
                who = self._name(event)
        known = f", known by {actor.credential}" if actor.credential and actor.kind is ActorKind.PERSON else ""
        return f"{who}, from {actor.origin or 'an unknown address'}{known}"

    def _name(self, event: AuditEvent) -> str:
        if not event.actor.id:
            return "somebody who had not signed in"
        if event.actor.account:
            return "somebody of the parent account"
        people = self._find(event.account_id, TeammateId(event.actor.id))
        return people[0].username if people else "somebody who has left the account"

    async def _send(self, letter: _Letter) -> None:
        counted = await asyncio.to_thread(self._count, letter)
        items = [item for item, attempt in counted if attempt is not None]
        self._metrics.security_notices.add("limited", amount=len(counted) - len(items))
        if not items:
            return
        try:
            title = f"Security notice from {self._host_name}"
            await self._mailer.send(letter.address, title, self._word(letter.person, items))
        except Misconfigured as error:
            log.error("notice_refused", teammate_id=letter.person.id, reason=str(error))  # noqa: TRY400 - the text says it all
            self._metrics.security_notices.add("refused", amount=len(items))
            return
        except Transient:
            for _, attempt in counted:
                if attempt is not None:
                    await asyncio.to_thread(self._tools.stores.attempts.forgive, attempt)
            raise
        self._metrics.security_notices.add("sent", amount=len(items))

    def _count(self, letter: _Letter) -> list[tuple[_Item, bytes | None]]:
        """Count each notice against its reader and kind; None for one too many.

        Each kind for itself, so that nobody uses up with harmless acts what tells of the one that matters.
        """
        tools, kind, counted = self._tools, AttemptKind.NOTICE, []
        for item in letter.items:
            whose = f"{letter.person.id}\n{item.notice.name}"
            limits = count_as(kind, whose, "", is_known=False, keyed_hash=tools.sealer.hash_secret)
            attempt = tools.entropy.draw(ATTEMPT_OCTETS)
            wait = tools.stores.attempts.reserve(attempt, kind, limits, tools.clock.now())
            counted.append((item, attempt if wait is None else None))
        return counted

    def _word(self, person: Teammate, items: Sequence[_Item]) -> str:
        stories = [
            f"{item.event.at:%Y-%m-%d %H:%M} UTC: {item.notice.what}\nBy {item.by}\n{item.notice.advice}"
            for item in items
        ]
        opening = f"This concerns the account in which you are {person.username} at the mail service {self._host_name}."
        return "\n\n".join([opening, *stories, _CLOSING])
