"""The command itself: options, the order of the acts, signals, and the end of everything that was started."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from gatepost.cli.demo.folder import make_fresh_folder
from gatepost.cli.demo.guide import Address, render_guide
from gatepost.cli.demo.ledger import Ledger, open_ledger
from gatepost.cli.demo.ports import WANTED, choose_ports, find_replaced, probe_loopback
from gatepost.cli.demo.stage import Paths, Stage, set_stage
from gatepost.cli.demo.story import Story, StoryEnded, Style
from gatepost.cli.demo.tail import format_event
from gatepost.cli.demo.trial import AUTHOR, RECIPIENT, Trial
from gatepost.system.clock import SystemClock
from gatepost.telemetry import logger
from gatepost.telemetry.logger import LogFormat, LogLevel

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130
_LOOK_EVERY_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the demo was asked for."""

    folder: Path
    is_once: bool
    has_free_ports: bool


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="Where it keeps everything. It is emptied at the start, if a demo made it.",
)
@click.option("--once", is_flag=True, help="End when the messages are through: 0 if all went well, 1 if not.")
@click.option("--free-ports", is_flag=True, help="Use any free ports instead of 2525, 2587, 2465 and so on.")
@click.option("--no-color", is_flag=True, help="No colours, not even on a terminal; NO_COLOR in the environment too.")
@click.pass_context
def demo(ctx: click.Context, *, folder: Path, once: bool, free_ports: bool, no_color: bool) -> None:
    """Start a relay on this machine, send one message through it to an inbox, and keep it running.

    Needs no root and no configuration, and talks to nothing outside this machine.
    """
    logger.configure(clock=SystemClock(), level=LogLevel.ERROR, log_format=LogFormat.CONSOLE, process="demo")
    story = Story(_write, _find_style(no_color=no_color))
    options = Options(folder=folder, is_once=once, has_free_ports=free_ports)
    ctx.exit(asyncio.run(_run_until_signal(options, story)))


async def _run_until_signal(options: Options, story: Story) -> int:
    loop = asyncio.get_running_loop()
    playing = loop.create_task(_play(options, story))
    for number in (signal.SIGINT, signal.SIGTERM):
        # Once: what is being ended already is not ended again half-way.
        loop.add_signal_handler(number, _interrupt, playing, story)
    try:
        return await playing
    except asyncio.CancelledError:
        return EXIT_INTERRUPTED


def _interrupt(playing: "asyncio.Task[int]", story: Story) -> None:
    if not playing.cancelling():
        story.say()
        story.say("Stopping.")
        playing.cancel()


async def _play(options: Options, story: Story) -> int:
    clock = SystemClock()
    async with AsyncExitStack() as resources:
        resources.callback(os.close, make_fresh_folder(options.folder))
        story.say("Gatepost: from an application to an inbox, all on this machine")
        ports = _choose_ports(options, story)
        try:
            story.chapter("Setting the stage")
            stage = await set_stage(Paths(folder=options.folder), ports, story, clock, resources)
            ledger = resources.enter_context(open_ledger(stage.settings))
            trial = Trial(stage, ledger, story, clock)
            story.chapter("One message, as any application sends it")
            await trial.deliver_one()
            story.chapter("One message in somebody else's name")
            await trial.refuse_one()
        except StoryEnded:
            return EXIT_FAILED
        if options.is_once:
            return EXIT_FAILED if story.has_failed else 0
        story.say()
        for line in render_guide(_address(stage)):
            story.say(line)
        return await _go_on(stage, ledger, story)


def _choose_ports(options: Options, story: Story) -> dict[str, int]:
    wanted = dict.fromkeys(WANTED, 0) if options.has_free_ports else WANTED
    chosen = choose_ports(wanted, probe_loopback)
    for line in find_replaced(wanted, chosen):
        story.note(line)
    return chosen


async def _go_on(stage: Stage, ledger: Ledger, story: Story) -> int:
    """Tell what happens, until interrupted (0) or the relay ends by itself (1)."""
    story.chapter("What happens to mail from now on (UTC)")
    ledger.skip_events()
    ended = asyncio.create_task(stage.relay.wait())
    try:
        while not ended.done():
            for event in ledger.take_events():
                line = format_event(event)
                if line:
                    story.say(line)
            await asyncio.wait([ended], timeout=_LOOK_EVERY_SECONDS)
    except asyncio.CancelledError:
        return 0
    finally:
        ended.cancel()
    story.say(f"The relay ended by itself, with status {ended.result()}; see {stage.paths.log}")
    return EXIT_FAILED


def _address(stage: Stage) -> Address:
    paths, ports, sender = stage.paths, stage.ports, stage.sender
    return Address(
        program=_find_program(),
        current_folder=Path.cwd(),
        config=paths.config,
        ca=paths.ca,
        inbox=paths.inbox,
        log=paths.log,
        submission_port=ports["submission"],
        second_port=ports["submission, second"],
        implicit_port=ports["submission, TLS from the start"],
        pages_port=ports["inbox pages"],
        key=sender.key.reveal(),
        key_id=sender.key_id,
        author=AUTHOR,
        recipient=RECIPIENT,
    )


def _find_program() -> str:
    script = Path(sys.argv[0])
    if script.name == "gatepost":
        return str(script)
    return f"{sys.executable} -m gatepost"


def _find_style(*, no_color: bool) -> Style:
    encoding = (sys.stdout.encoding or "").lower()
    return Style(
        has_colour=sys.stdout.isatty() and not no_color and not os.environ.get("NO_COLOR"),
        has_unicode=encoding.startswith("utf"),
    )


def _write(line: str) -> None:
    click.echo(line)
