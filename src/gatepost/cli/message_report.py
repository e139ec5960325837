"""A message as an operator reads it: who, envelope, origin, recipients, events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from gatepost.cli.context import CommandContext
from gatepost.cli.event_text import detail_text, event_fields, last_words
from gatepost.cli.names import AccountNames
from gatepost.cli.output import instant, print_fields, print_table, say
from gatepost.mailflow.envelope import Envelope
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.queue.recipient import RecipientRow
from gatepost.primitives.ids import MessageId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.reader import MessageReport

_FINAL: Final = {EventType.DELIVERED: "delivered", EventType.BOUNCE: "bounced", EventType.DROPPED: "dropped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientStory:
    """How it stands with one recipient.

    Attributes:
        state: Of a live one, its state in the queue; of another, what its last event says, "-" if it has none any more.
        attempts: Begun; None where that is not known any more.
        next_attempt_at: RFC 3339, or None.
        last_reply: The peer's words at the last attempt, or why there were none.
    """

    mailbox: Mailbox
    state: str
    attempts: int | None
    next_attempt_at: str | None
    last_reply: str


def find_message(context: CommandContext, message_id: str) -> MessageReport:
    """Return all that any shard knows of a message; raises ``click.ClickException`` if none knows it."""
    with context.readings() as readings:
        for report in readings.ask(lambda reader: reader.find_message(MessageId(message_id))):
            if report is not None:
                return report
    raise click.ClickException(
        f"there is no message {message_id!r}: it was never accepted here, or its events are no longer kept. "
        "The id is what the client was told: `queued as <id>`"
    )


def print_queued_message(report: MessageReport, plane: ControlPlane) -> None:
    """Print what the queue holds of a message."""
    _print_facts(report, plane)
    click.echo()
    _print_recipients(tell_live(report.recipients))


def queued_message_fields(report: MessageReport, plane: ControlPlane) -> dict[str, object]:
    """Return what the queue holds of a message, for a program."""
    return {**_facts(report, plane), "recipients": [_recipient_fields(each) for each in tell_live(report.recipients)]}


def print_message(report: MessageReport, plane: ControlPlane) -> None:
    """Print a message's whole story."""
    _print_facts(report, plane)
    click.echo()
    _print_recipients(tell_recipients(report))
    click.echo()
    rows = [[instant(e.at) or "", e.type.value, str(e.recipient), detail_text(e)] for e in report.events]
    print_table([["TIME", "EVENT", "RECIPIENT", "DETAIL"], *rows])


def message_fields(report: MessageReport, plane: ControlPlane) -> dict[str, object]:
    """Return a message's whole story, for a program."""
    accounts = AccountNames(plane)
    return {
        **_facts(report, plane),
        "recipients": [_recipient_fields(each) for each in tell_recipients(report)],
        "events": [event_fields(event, accounts) for event in report.events],
    }


def tell_live(rows: Sequence[RecipientRow]) -> list[RecipientStory]:
    """Tell how it stands with recipients that are in the queue."""
    return [
        RecipientStory(
            mailbox=row.mailbox,
            state=row.state.value,
            attempts=row.attempts,
            next_attempt_at=instant(row.next_attempt_at),
            last_reply=row.last_reply,
        )
        for row in rows
    ]


def tell_recipients(report: MessageReport) -> list[RecipientStory]:
    """Tell how it stands with every recipient: in the order of the envelope, while that is kept, else of the events."""
    live = {story.mailbox: story for story in tell_live(report.recipients)}
    events: dict[Mailbox, list[Event]] = {}
    for event in report.events:
        events.setdefault(event.recipient, []).append(event)
    accepted = report.envelope.forward_paths if report.envelope else ()
    everybody = dict.fromkeys((*accepted, *live, *events))
    return [live.get(mailbox) or _tell_final(mailbox, events.get(mailbox, [])) for mailbox in everybody]


def _tell_final(mailbox: Mailbox, events: Sequence[Event]) -> RecipientStory:
    last = events[-1] if events else None
    attempts = max([int(event.detail.get("attempt", 0)) for event in events], default=None)
    return RecipientStory(
        mailbox=mailbox,
        state=_FINAL.get(last.type, last.type.value) if last else "-",
        attempts=attempts,
        next_attempt_at=None,
        last_reply=next(filter(None, map(last_words, reversed(events))), ""),
    )


def _facts(report: MessageReport, plane: ControlPlane) -> dict[str, str | int | None]:
    """Return the facts about a message; None for what is not known any more, "" for what does not apply."""
    key = plane.keys.find(report.account_id, report.key_id) if report.key_id else None
    processed = next((event for event in report.events if event.type is EventType.PROCESSED), None)
    told = processed.detail if processed else {}
    return {
        "id": report.id,
        "account": AccountNames(plane).of(report.account_id),
        "account_id": report.account_id,
        "key": key.name if key else None,
        "key_id": report.key_id,
        "author": told.get("author"),
        "reverse_path": told.get("reverse_path"),
        "needs": _needs(report.envelope) if report.envelope else "",
        "accepted_at": instant(processed.at) if processed else None,
        "size_octets": int(told["size_octets"]) if "size_octets" in told else report.size_octets,
        "client": told.get("client"),
        "greeting": told.get("greeting"),
        "protocol": told.get("protocol"),
        "tls": told.get("tls"),
        "set_aside": report.set_aside_reason,
    }


def _needs(envelope: Envelope) -> str:
    """Return which extensions a peer must offer."""
    return " ".join(
        [*(["8BITMIME"] if envelope.needs_8bitmime else []), *(["SMTPUTF8"] if envelope.needs_smtputf8 else [])]
    )


def _print_facts(report: MessageReport, plane: ControlPlane) -> None:
    facts = {name: value for name, value in _facts(report, plane).items() if value != ""}
    print_fields({name: None if value is None else str(value) for name, value in facts.items()})
    if report.accepted_at is None:
        say("It has left the queue: its content is no longer kept, its events are.")


def _print_recipients(stories: Sequence[RecipientStory]) -> None:
    heading = ["RECIPIENT", "STATE", "ATTEMPTS", "NEXT ATTEMPT", "LAST REPLY"]
    rows = [
        [
            str(story.mailbox),
            story.state,
            "-" if story.attempts is None else str(story.attempts),
            story.next_attempt_at or "-",
            story.last_reply or "-",
        ]
        for story in stories
    ]
    print_table([heading, *rows])


def _recipient_fields(story: RecipientStory) -> dict[str, str | int | None]:
    return {
        "recipient": str(story.mailbox),
        "state": story.state,
        "attempts": story.attempts,
        "next_attempt_at": story.next_attempt_at,
        "last_reply": story.last_reply,
    }
