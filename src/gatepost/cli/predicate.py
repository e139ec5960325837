"""Which recipients an operator means: the options that commands around the queue share, and how they are read."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from gatepost.cli.arguments import get_account, get_key, read_destination
from gatepost.mailflow.queue.recipient import Predicate, RecipientState
from gatepost.primitives.ids import MessageId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.standards.address import AddressError, parse_domain, parse_mailbox
from gatepost.tenancy.senders.sender_names import SenderNames

Command = TypeVar("Command", bound=Callable[..., Any])

_LIVE_STATES: Final = (RecipientState.QUEUED, RecipientState.LEASED, RecipientState.HELD, RecipientState.SCHEDULED)

_OPTIONS: Final = (
    click.option("--account", help="Whose mail: the account's name or id."),
    click.option("--key", help="Submitted with which key: its id."),
    click.option("--domain", help="To which domain."),
    click.option(
        "--state",
        type=click.Choice([state.value for state in _LIVE_STATES]),
        help="In which state; leased means that an attempt is under way.",
    ),
    click.option(
        "--sender",
        metavar="NAME",
        help="In whose name, as author or reverse-path: an address, or a domain and all below it.",
    ),
    click.option("--message", help="Which message: the id that the client was told."),
)


def predicate_options(command: Command) -> Command:
    """Give a command the options of a predicate; it takes them as ``**which`` and hands them to ``read_predicate``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_predicate(
    control_plane: ControlPlane,
    *,
    account: str | None = None,
    key: str | None = None,
    domain: str | None = None,
    state: str | None = None,
    message: str | None = None,
    sender: str | None = None,
) -> Predicate:
    """Read the options of ``predicate_options``; all that is given must match, and nothing given matches all.

    Raises:
        click.ClickException: There is no such account or key, or a domain cannot be read.
    """
    return Predicate(
        account_id=get_account(control_plane, account).id if account else None,
        key_id=get_key(control_plane, key, account).id if key else None,
        domain=read_destination(domain) if domain else None,
        state=RecipientState(state) if state else None,
        message_id=MessageId(message) if message else None,
        sender=SenderNames(name=_read_sender(sender)) if sender else None,
    )


def read_some_predicate(control_plane: ControlPlane, **which: str | None) -> Predicate:
    """As ``read_predicate``, for a command that changes things: it must not mean the whole queue by an omission."""
    predicate = read_predicate(control_plane, **which)
    if predicate == Predicate():
        raise click.UsageError(
            "say which recipients: --account, --key, --domain, --sender, --state or --message. For the whole queue, "
            "give the command once for each --state"
        )
    return predicate


def _read_sender(text: str) -> str:
    try:
        return str(parse_mailbox(text.encode(), allow_utf8=True)) if "@" in text else parse_domain(text)
    except AddressError as error:
        raise click.BadParameter(
            f"{text!r}: {error}; write name@example.com or example.com", param_hint="--sender"
        ) from error
