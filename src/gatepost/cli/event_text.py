"""Events as operators and programs read them."""

from gatepost.cli.names import AccountNames
from gatepost.cli.output import instant
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.options import SendingOptions

_SHOWN_OF_PROCESSED = ("author", "client", "size_octets")


def event_fields(event: Event, accounts: AccountNames) -> dict[str, object]:
    """Return an event for a program; ``at`` to the millisecond; options only where there are some."""
    fields: dict[str, object] = {
        "at": event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "type": event.type.value,
        "account": accounts.of(event.account_id),
        "account_id": event.account_id,
        "key_id": event.key_id,
        "message_id": event.message_id,
        "recipient": str(event.recipient),
        "detail": event.detail,
    }
    if event.options is not None:
        fields |= {name: value for name, value in _option_fields(event.options).items() if value}
    return fields


def _option_fields(options: SendingOptions) -> dict[str, object]:
    """Return options under the names that the dialect has for them in its events."""
    categories = options.categories
    return {
        "category": categories[0] if options.is_single_category and categories else list(categories),
        "custom_args": dict(options.custom_args),
        "batch_id": options.batch_id,
        "send_at": instant(options.send_at),
        "request_id": options.request_id,
    }


def event_line(event: Event, accounts: AccountNames) -> str:
    """Return an event as one line."""
    return "  ".join(
        (
            instant(event.at) or "",
            f"{event.type.value:11}",
            event.message_id,
            accounts.of(event.account_id),
            str(event.recipient),
            detail_text(event),
        )
    ).rstrip()


def detail_text(event: Event) -> str:
    """Return what more there is to say of an event, in one line; of ``processed`` only who and how much."""
    shown = event.detail.items()
    if event.type is EventType.PROCESSED:
        shown = {name: text for name, text in shown if name in _SHOWN_OF_PROCESSED}.items()
    parts = [f"{name}: {text}" for name, text in shown]
    if event.options is not None and event.options.categories:
        parts.append(f"category: {', '.join(event.options.categories)}")
    return "; ".join(parts)


def last_words(event: Event) -> str:
    """Return the peer's words; or, where it said nothing, ours."""
    return event.detail.get("reply") or event.detail.get("reason", "")
