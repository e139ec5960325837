"""One line for each thing that happens to mail while the demo goes on."""

from gatepost.mailflow.events.event import Event, EventType

_WORDS_COLUMNS = 46
_QUIET = frozenset({EventType.PROCESSED})


def format_event(event: Event) -> str | None:
    """Return the line for an event; None where what follows says enough."""
    if event.type in _QUIET:
        return None
    words = event.detail.get("reply") or event.detail.get("reason") or ""
    printable = "".join([letter if letter.isprintable() else "\ufffd" for letter in words])
    if len(printable) > _WORDS_COLUMNS:
        printable = printable[: _WORDS_COLUMNS - 1] + "…"
    recipient = str(event.recipient)
    return f"  {event.at:%H:%M:%S}  {event.type.value:<11}  {recipient:<24}  {printable}".rstrip()
