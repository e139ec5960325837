"""How commands speak: results on standard output, to be piped; everything else on standard error."""

import json
from collections.abc import Sequence
from datetime import datetime

import click


def say(text: str) -> None:
    """Tell the operator what was done."""
    click.echo(text, err=True)


def printable(text: str) -> str:
    """Return text with every character that is none to look at escaped.

    What a peer or a client said is shown on an operator's terminal, which must not obey it: no escape sequence, no
    line end, no mark that turns the direction of writing.
    """
    return text if text.isprintable() else "".join([each if each.isprintable() else _escape(each) for each in text])


def print_json(value: object) -> None:
    """Print a result for a program."""
    click.echo("\n".join(map(printable, json.dumps(value, indent=2, ensure_ascii=False).split("\n"))))


def print_json_line(value: object) -> None:
    """Print one of many results for a program: one line of JSON."""
    click.echo(printable(json.dumps(value, ensure_ascii=False)))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows, the first of them headings, in columns."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_fields(fields: dict[str, str | list[str] | None]) -> None:
    """Print one thing, a field a line."""
    width = max(map(len, fields)) + 2
    for name, value in fields.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name.replace('_', ' '):{width}}{printable(shown or '-')}")


def instant(at: datetime | None) -> str | None:
    """Write an instant as RFC 3339 in UTC, to the second."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1]
