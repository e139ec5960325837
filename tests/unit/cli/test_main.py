import importlib.util
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gatepost.cli import main as module
from gatepost.cli.main import COMMANDS, CommandContext, CommandTable, gatepost, main
from gatepost.primitives.errors import Misconfigured, Transient


@pytest.fixture
def table(monkeypatch):
    """Adds commands to the table: name → function of the context."""

    def add(name, command):
        monkeypatch.setitem(COMMANDS, name, module.Entry("tests.nowhere", "For a test."))
        monkeypatch.setattr(module, "import_module", lambda _module: type("M", (), {name: command}))

    return add


def command_that(does):
    @click.command()
    @click.pass_obj
    def command(context):
        does(context)

    return command


def test_help_lists_every_command_that_is_for_people(run):
    status, said, _ = run("--help")

    assert status == 0
    assert all(entry.is_hidden or f"  {name} " in said for name, entry in COMMANDS.items())
    assert "worker" not in said


def test_help_imports_no_command_and_nothing_large():
    code = (
        "import sys\nfrom gatepost.cli.main import main\nmain(['--help'])\n"
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('structlog', 'sqlalchemy', 'uvicorn', 'cryptography', 'asyncio')])"
    )

    said = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, timeout=60
    ).stdout

    assert said.endswith("[]\n")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_entry_of_the_table_is_a_command(name):
    if importlib.util.find_spec(COMMANDS[name].module) is None:
        pytest.skip(f"{COMMANDS[name].module} has not landed")

    command = CommandTable().get_command(click.Context(gatepost), name)

    assert command.name == name
    assert command.get_short_help_str()


def test_unknown_command_is_refused_with_status_2(run):
    status, _, said = run("srve")

    assert status == 2
    assert "No such command 'srve'" in said


@pytest.mark.parametrize(
    ("error", "status"), [(Misconfigured("correct x"), 2), (Transient("try y"), 1)], ids=["misconfigured", "transient"]
)
def test_expected_errors_are_a_line_and_not_a_traceback(run, table, error, status):
    def fail(_context):
        raise error

    table("broken", command_that(fail))

    assert run("broken") == (status, "", f"gatepost: {error}\n")


def test_abort_is_status_1(run, table):
    def abort(_context):
        raise click.Abort

    table("asked", command_that(abort))

    assert run("asked") == (1, "", "gatepost: aborted\n")


def test_status_of_a_command_is_that_of_the_program(table):
    def exit_7(_context):
        click.get_current_context().exit(7)

    table("seven", command_that(exit_7))

    assert main(["seven"]) == 7


@pytest.mark.parametrize(
    ("arguments", "variable", "expected"),
    [
        (["look"], None, "/etc/gatepost/gatepost.toml"),
        (["look"], "/from/environment", "/from/environment"),
        (["-c", "/before", "look"], "/from/environment", "/before"),
        (["look", "--config", "/after"], "/from/environment", "/after"),
        (["-c", "/before", "look", "-c", "/after"], None, "/after"),
    ],
)
def test_settings_file_is_named_before_or_after_the_command_or_in_the_environment(
    run, table, monkeypatch, arguments, variable, expected
):
    monkeypatch.delenv("GATEPOST_CONFIG", raising=False)
    if variable:
        monkeypatch.setenv("GATEPOST_CONFIG", variable)
    table("look", command_that(lambda context: click.echo(context.config_path)))

    assert run(*arguments) == (0, f"{expected}\n", "")


def test_commands_of_a_group_take_the_settings_file_too(run, table):
    @click.group()
    def key():
        pass

    @key.command()
    @click.pass_obj
    def show(context):
        click.echo(context.config_path)

    table("key", key)

    assert run("key", "show", "-c", "/x")[1] == "/x\n"


def test_settings_are_read_once_and_only_when_asked_for(tmp_path):
    path = tmp_path / "gatepost.toml"
    context = CommandContext(path)
    path.write_text('host_name = "a.example"')

    assert context.settings is context.settings
    assert context.settings.host_name == "a.example"


def test_missing_settings_file_is_told_when_asked_for():
    with pytest.raises(Misconfigured, match="gatepost init"):
        _ = CommandContext(Path("/nowhere/gatepost.toml")).settings
