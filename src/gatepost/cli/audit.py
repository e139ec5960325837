"""``gatepost audit``: who changed what, and the proof that nobody changed the record of it."""

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from gatepost.cli.arguments import get_account
from gatepost.cli.context import CommandContext
from gatepost.cli.names import AccountNames
from gatepost.cli.output import instant, print_json_line, printable, say
from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.audit.chain import Fault, KeptHead, parse_kept_head
from gatepost.tenancy.audit.entry import AuditEntry, Snapshot

POLL_SECONDS: Final = 1.0

_AT_ONCE: Final = 1000


@click.group()
def audit() -> None:
    """Read the record of security-relevant acts, and prove that it is whole."""


@audit.command()
@click.option("--account", help="Of this account: name or id.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Show the newest so many of the past."
)
@click.option("--follow", is_flag=True, help="Then show each further act as it happens, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one act a line.")
@click.pass_obj
def tail(context: CommandContext, *, account: str | None, limit: int, follow: bool, as_json: bool) -> None:
    """Show what was done to accounts, keys and domains, the newest last."""
    try:
        with context.control_plane() as plane:
            reader = _Reader(plane, get_account(plane, account).id if account else None)
            _print_entries(plane, reader.read_newest(limit), as_json=as_json)
            while follow:
                time.sleep(POLL_SECONDS)
                _print_entries(plane, reader.read_new(), as_json=as_json)
    except KeyboardInterrupt:
        if not follow:
            raise


@audit.command()
@click.option("--account", help="Of this account: name or id.")
@click.pass_obj
def head(context: CommandContext, *, account: str | None) -> None:
    """Print where each log ends. Keep it where the database's administrator cannot write."""
    with context.control_plane() as plane:
        wanted = get_account(plane, account).id if account else None
        for each in plane.audit.list_heads():
            if wanted in (None, each.account_id):
                kept = KeptHead(account_id=each.account_id, sequence=each.sequence, link=each.link)
                click.echo(printable(str(kept)))


@audit.command()
@click.option("--account", help="Only this account's log: name or id.")
@click.option("--head", "heads", multiple=True, metavar="HASH", help="A line of `gatepost audit head`. Repeatable.")
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file of such lines.",
)
@click.pass_context
def verify(ctx: click.Context, *, account: str | None, heads: tuple[str, ...], heads_file: Path | None) -> None:
    """Find every entry that was altered, moved, put in or taken out. Exits with 1 if there is one.

    That the database as a whole was not set back to an old copy can be proved only with heads that were kept
    elsewhere.
    """
    context: CommandContext = ctx.obj
    kept = _read_heads([*heads, *(heads_file.read_text(encoding="utf-8").splitlines() if heads_file else [])])
    with context.control_plane() as plane:
        found = plane.audit.verify(get_account(plane, account).id if account else None, kept)
        names = AccountNames(plane)
    for fault in found.faults:
        click.echo(printable(_fault_text(fault, names)))
    if found.faults:
        say(f"{len(found.faults)} faults in {found.entries} entries of {found.accounts} accounts.")
        ctx.exit(1)
    say(f"All {found.entries} entries of {found.accounts} accounts are there and as they were written.")
    if not kept:
        say("Not shown without a head kept elsewhere (--head): that the database is not an old copy of itself.")


class _Reader:
    """Reads the log of one account, or of all, and remembers how far."""

    def __init__(self, plane: ControlPlane, account_id: AccountId | None) -> None:
        self._log = plane.audit
        self._account_id = account_id
        self._read_to: dict[AccountId, int] = {}

    def read_newest(self, limit: int) -> list[AuditEntry]:
        found: list[AuditEntry] = []
        for account_id, last in self._ends():
            self._read_to[account_id] = last
            found += self._log.list_after(account_id, max(0, last - limit), limit) if limit else []
        return _by_time(found)[-limit:] if limit else []

    def read_new(self) -> list[AuditEntry]:
        found: list[AuditEntry] = []
        for account_id, last in self._ends():
            seen = self._read_to.get(account_id, 0)
            if seen < last and (new := self._log.list_after(account_id, seen, _AT_ONCE)):
                self._read_to[account_id] = new[-1].sequence
                found += new
        return _by_time(found)

    def _ends(self) -> list[tuple[AccountId, int]]:
        heads = self._log.list_heads()
        return [(each.account_id, each.sequence) for each in heads if self._account_id in (None, each.account_id)]


def _by_time(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    return sorted(entries, key=lambda each: (each.event.at, each.event.account_id, each.sequence))


def _read_heads(lines: Sequence[str]) -> list[KeptHead]:
    try:
        return [parse_kept_head(line) for line in lines if line.strip()]
    except ValueError as error:
        raise click.BadParameter(
            f"not a line of `gatepost audit head`, account:number:hash: {error}", param_hint="--head"
        ) from error


def _fault_text(fault: Fault, names: AccountNames) -> str:
    where = names.of(fault.account_id) if fault.account_id else "log"
    return f"{where}: {fault.text}" if fault.sequence is None else f"{where}: entry {fault.sequence} {fault.text}"


def _print_entries(plane: ControlPlane, entries: Sequence[AuditEntry], *, as_json: bool) -> None:
    if not entries:
        return
    names = AccountNames(plane)
    for entry in entries:
        if as_json:
            print_json_line(_fields(entry, names))
        else:
            click.echo(printable(_line(entry, names)))


def _line(entry: AuditEntry, names: AccountNames) -> str:
    event = entry.event
    parent = f"of {names.of(AccountId(event.actor.account))}" if event.actor.account else ""
    actor = " ".join(filter(None, [event.actor.kind.value, event.actor.id, parent, event.actor.origin]))
    change = "; ".join(_changes(event.before, event.after))
    return (
        f"{instant(event.at)}  {names.of(event.account_id)} {entry.sequence}  {event.act.value}  {event.subject}  "
        f"by {actor}  {change}"
    ).rstrip()


def _changes(before: Snapshot | None, after: Snapshot | None) -> list[str]:
    """Say what is different, a property each."""
    old, new = before or {}, after or {}
    return [
        f"{name}: {_text(new.get(name))}"
        if before is None
        else f"{name}: {_text(old.get(name))} → {_text(new.get(name))}"
        for name in [*new, *(old.keys() - new.keys())]
        if old.get(name) != new.get(name) and not (before is None and not new[name])
    ]


def _text(value: object) -> str:
    return "-" if value in (None, []) else json.dumps(value, ensure_ascii=False)


def _fields(entry: AuditEntry, names: AccountNames) -> dict[str, object]:
    event = entry.event
    return {
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "account": names.of(event.account_id),
        "account_id": event.account_id,
        "sequence": entry.sequence,
        "act": event.act.value,
        "subject": event.subject,
        "actor": {
            "kind": event.actor.kind.value,
            "id": event.actor.id,
            "origin": event.actor.origin,
            "credential": event.actor.credential,
            **({"account_id": event.actor.account} if event.actor.account else {}),
        },
        "before": event.before,
        "after": event.after,
    }
