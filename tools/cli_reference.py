"""docs/reference/cli.md, from the commands themselves: what ``--help`` says of each."""

from collections.abc import Iterator

import click

from gatepost.cli.main import COMMANDS, gatepost

WIDTH = 100

INTRODUCTION = """\
# The command line

Made from `src/gatepost/cli` by `tools/cli_reference.py`; do not edit.

Every command reads the settings file that `--config` (`-c`) names, else `$GATEPOST_CONFIG`, else
`/etc/gatepost/gatepost.toml`. Results go to standard output, everything else to standard error. Exit status: 0 done,
1 failed or not certain, 2 called or configured wrongly. Give commands as the user that the service runs as.
"""


def render() -> str:
    """Return the whole reference."""
    root = click.Context(
        gatepost, info_name="gatepost", terminal_width=WIDTH, max_content_width=WIDTH, **gatepost.context_settings
    )
    parts = [INTRODUCTION]
    for name, entry in COMMANDS.items():
        command = gatepost.get_command(root, name)
        if command is not None and not entry.is_hidden:
            parts += _sections(command, name, root)
    return "\n".join(parts)


def _sections(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    level = context.command_path.count(" ") + 1
    yield f"{'#' * level} `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _sections(found, inner, context)
