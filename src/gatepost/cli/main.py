"""The command table, and what all commands share: the settings file and how errors end.

Commands are imported when they are called, so that ``gatepost --help`` does not wait for what only the service needs.
"""

import os
from collections.abc import Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from gatepost.primitives.errors import Misconfigured, RelayError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatepost.network.zone import Zone
    from gatepost.runtime.control_client import Workers
    from gatepost.runtime.control_plane import ControlPlane
    from gatepost.runtime.settings import Settings
    from gatepost.storage.queue_sqlite.readings import Readings
    from gatepost.tenancy.senders.ports import Resolver
    from gatepost.tenancy.senders.posture import PolicyFetcher
    from gatepost.tenancy.senders.rotation import RotationPolicy

EXIT_FAILED: Final = 1
EXIT_MISCONFIGURED: Final = 2
DEFAULT_CONFIG: Final = Path("/etc/gatepost/gatepost.toml")
CONFIG_VARIABLE: Final = "GATEPOST_CONFIG"


class Entry(NamedTuple):
    """A command: where it is, and its line in the table."""

    module: str
    help: str
    is_hidden: bool = False


COMMANDS: Final = {
    "init": Entry("gatepost.cli.init", "Write the settings file and make the state directory."),
    "check": Entry("gatepost.cli.check", "Say what is wrong with a set-up, and how to mend it."),
    "serve": Entry("gatepost.cli.serve", "Run the relay."),
    "account": Entry("gatepost.cli.account", "Make and manage accounts."),
    "teammate": Entry("gatepost.cli.teammate", "Show the people of an account."),
    "access": Entry("gatepost.cli.access", "Say from where an account may be reached, and see who came."),
    "limit": Entry("gatepost.cli.limit", "Say how much an account may send in a time."),
    "key": Entry("gatepost.cli.key", "Make and manage API keys."),
    "domain": Entry("gatepost.cli.domain", "Add and verify sending domains."),
    "dkim": Entry("gatepost.cli.dkim", "Rotate DKIM keys, and show how far that is."),
    "dns": Entry("gatepost.cli.dns", "Export or push the zone that customers' CNAMEs lead to."),
    "explain": Entry("gatepost.cli.explain", "Say whether a key or account may send as an address, and why."),
    "queue": Entry("gatepost.cli.queue", "List, hold, release and remove queued mail."),
    "message": Entry("gatepost.cli.message", "Tell a message's whole story."),
    "events": Entry("gatepost.cli.events", "Show what happens to mail, as it happens."),
    "books": Entry("gatepost.cli.books", "Balance what was accepted against what became of it."),
    "audit": Entry("gatepost.cli.audit", "Show who changed what, and prove that the record is whole."),
    "migrate": Entry("gatepost.cli.migrate", "Bring the control database to this version's schema."),
    "demo": Entry("gatepost.cli.demo", "Run a relay on this machine and send one message through it."),
    "worker": Entry("gatepost.cli.worker", "Run one worker process; the supervisor does.", is_hidden=True),
}


class CommandContext:
    """What commands find in ``ctx.obj``."""

    def __init__(self, config_path: Path) -> None:
        self.config_path = config_path
        #: What could not be read, and was told of: the answer is not the whole one.
        self.troubles: set[Path] = set()

    @cached_property
    def settings(self) -> "Settings":
        """The settings, read when first asked for. Raises ``Misconfigured``."""
        from gatepost.runtime.settings_loader import load_settings

        return load_settings(self.config_path, os.environ)

    def control_plane(self) -> "ControlPlane":
        """Open the control plane; the command closes it."""
        from gatepost.runtime.compose_commands import compose_control_plane

        return compose_control_plane(self.settings)

    def workers(self) -> "Workers":
        """Return the way to the mail workers and their shards."""
        from gatepost.runtime.compose_workers import compose_workers

        return compose_workers(self.settings)

    @contextmanager
    def readings(self) -> "Iterator[Readings]":
        """Open every shard, read-only, for the length of a block; what could not be read of it is told at its end."""
        from gatepost.runtime.compose_workers import open_readings

        with open_readings(self.settings) as readings:
            try:
                yield readings
            finally:
                for path in readings.troubles.keys() - self.troubles:
                    click.echo(f"gatepost: left out: {readings.troubles[path]}", err=True)
                self.troubles |= readings.troubles.keys()

    def resolver(self) -> "Resolver":
        """Make a resolver, to be used within one event loop."""
        from gatepost.runtime.compose_resolvers import compose_resolver

        return compose_resolver(self.settings)

    def policy_fetcher(self, resolver: "Resolver") -> "PolicyFetcher":
        """Make what fetches MTA-STS policies."""
        from gatepost.runtime.compose_resolvers import compose_policy_fetcher

        return compose_policy_fetcher(self.settings, resolver)

    def own_zone(self, plane: "ControlPlane") -> "Zone":
        """Return our own zone as it is now. Raises ``Misconfigured``."""
        from gatepost.runtime.own_zone import read_own_zone

        return read_own_zone(plane.domains, self.settings)

    def push_own_zone(self, plane: "ControlPlane") -> int:
        """Bring the operator's name server up to our own zone; return how many sets of records had to change."""
        import asyncio

        from gatepost.runtime.compose_jobs import push_own_zone

        return asyncio.run(push_own_zone(self.settings, plane.domains))

    def rotation_policy(self) -> "RotationPolicy":
        """Return how long DKIM keys live."""
        from gatepost.runtime.compose_jobs import rotation_policy

        return rotation_policy(self.settings)


class CommandTable(click.Group):
    """A group whose commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command; each takes ``--config`` too, wherever it is written."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(entry.module), cmd_name)
        assert isinstance(command, click.Command)
        _add_config_option(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items() if not entry.is_hidden])


def _set_config(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.find_root().obj = CommandContext(value)
        ctx.obj = ctx.find_root().obj


def _config_option() -> click.Option:
    return click.Option(
        ["-c", "--config"],
        type=click.Path(path_type=Path, dir_okay=False),
        callback=_set_config,
        expose_value=False,
        is_eager=True,
        help=f"The settings file; otherwise ${CONFIG_VARIABLE}, or {DEFAULT_CONFIG}.",
    )


def _add_config_option(command: click.Command) -> None:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _add_config_option(inner)
    elif not any("--config" in parameter.opts for parameter in command.params):
        command.params.append(_config_option())


@click.command(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"]}, params=[_config_option()])
@click.version_option(package_name="gatepost", prog_name="gatepost")
@click.pass_context
def gatepost(ctx: click.Context) -> None:
    """Gatepost: a self-hosted, multi-tenant secure SMTP relay."""
    if ctx.obj is None:
        ctx.obj = CommandContext(Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG))


@gatepost.result_callback()
@click.pass_context
def _fail_if_not_whole(ctx: click.Context, /, *_: object, **__: object) -> None:
    """End a command whose answer is not the whole one as failed, though it has told what it could."""
    context = ctx.find_root().obj
    if isinstance(context, CommandContext) and context.troubles:
        ctx.exit(EXIT_FAILED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status: 0, 1 if it failed, 2 if it was called or configured wrongly."""
    try:
        result: Any = gatepost.main(args=arguments, prog_name="gatepost", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("gatepost: aborted", err=True)
        return EXIT_FAILED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except RelayError as error:
        click.echo(f"gatepost: {error}", err=True)
        return EXIT_MISCONFIGURED if isinstance(error, Misconfigured) else EXIT_FAILED
    return result if isinstance(result, int) else 0
