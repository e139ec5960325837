"""``gatepost books``: accepted against what became of it; promise 2 of the architecture, shown."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

import click

from gatepost.cli.arguments import get_account
from gatepost.cli.context import CommandContext
from gatepost.cli.names import AccountNames
from gatepost.cli.output import print_json, print_table, say
from gatepost.mailflow.queue.recipient import Books
from gatepost.storage.queue_sqlite.reader import QueueReader, add_books

_COUNTS: Final = tuple(field.name for field in fields(Books) if field.name != "account_id")


@click.command()
@click.option("--account", help="Only this account: name or id.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def books(ctx: click.Context, *, account: str | None, as_json: bool) -> None:
    """Balance each account's recipients: accepted = delivered + bounced + dropped + expired + queued + held.

    What is being tried at this moment counts as queued. Exits with 1 if the books of any account do not balance.
    """
    context: CommandContext = ctx.obj
    with context.control_plane() as plane, context.readings() as readings:
        accounts = AccountNames(plane)
        only = get_account(plane, account).id if account else None
        by_shard = readings.ask(
            lambda reader: (reader, [one for one in reader.read_books() if only in (None, one.account_id)])
        )
    total = sorted(add_books(one for _, some in by_shard for one in some), key=lambda one: accounts.of(one.account_id))
    troubles = [text for reader, some in by_shard for text in _find_troubles(reader, some, accounts)]
    if as_json:
        print_json([_fields(one, accounts) for one in total])
    elif total:
        _print(total, accounts)
    else:
        say("Nothing has been accepted yet.")
    if troubles:
        say("The books do NOT balance:\n" + "\n".join(troubles))
        say("Recipients are unaccounted for. Keep these files as they are, with their -wal companions, and report it.")
        ctx.exit(1)


def _find_troubles(reader: QueueReader, some: Sequence[Books], accounts: AccountNames) -> list[str]:
    """Look at each shard by itself: what is missing in one must not be made up for by what is too much in another."""
    return [
        f"  - {reader.path}: account {accounts.of(one.account_id)}: {one.difference:+d} recipients"
        for one in some
        if one.difference
    ]


def _print(total: Sequence[Books], accounts: AccountNames) -> None:
    rows = [
        [accounts.of(one.account_id), *[str(getattr(one, name)) for name in _COUNTS], str(one.difference)]
        for one in total
    ]
    print_table([["ACCOUNT", *[name.upper() for name in _COUNTS], "DIFFERENCE"], *rows])


def _fields(one: Books, accounts: AccountNames) -> dict[str, str | int]:
    return {
        "account": accounts.of(one.account_id),
        "account_id": one.account_id,
        **{name: getattr(one, name) for name in _COUNTS},
        "difference": one.difference,
    }
