import ast
import shlex
from pathlib import Path

import pytest

from gatepost.cli.demo.guide import Address, render_guide


@pytest.fixture
def lines():
    return render_guide(
        Address(
            program=".venv/bin/gatepost",
            current_folder=Path("/srv/my relay"),
            config=Path("var/demo/gatepost.toml"),
            ca=Path("var/demo/ca.pem"),
            inbox=Path("var/demo/inbox"),
            log=Path("var/demo/gatepost.log"),
            submission_port=2525,
            second_port=2587,
            implicit_port=2465,
            pages_port=8025,
            key="SG.KEY.SECRET",
            key_id="KEY",
            author="ann@example.test",
            recipient="bob@inbox.test",
        )
    )


def block(lines, first):
    begin = next(index for index, line in enumerate(lines) if line.startswith(first))
    return lines[begin + 1 : lines.index("END", begin)]


def test_swaks_line_is_one_command(lines):
    begin = next(index for index, line in enumerate(lines) if line.startswith("swaks"))

    words = shlex.split("\n".join(lines[begin : begin + 3]).replace("\\\n", ""))

    assert words[:3] == ["swaks", "--server", "localhost:2525"]
    assert words[words.index("--auth-password") + 1] == "SG.KEY.SECRET"
    assert "--tls-verify" in words


def test_python_lines_are_python(lines):
    program = "\n".join(block(lines, "python3"))

    ast.parse(program)
    assert 'cafile="var/demo/ca.pem"' in program
    assert '"localhost", 2587' in program


def test_node_lines_use_implicit_tls(lines):
    program = "\n".join(block(lines, "node"))

    assert "port: 2465, secure: true" in program
    assert 'readFileSync("var/demo/ca.pem")' in program


def test_folder_with_a_space_is_quoted(lines):
    assert "cd '/srv/my relay'" in lines


@pytest.mark.parametrize("command", ["queue list", "events --follow", "books", "key revoke KEY"])
def test_commands_name_the_settings_file(lines, command):
    assert any(line.startswith(f".venv/bin/gatepost {command} -c var/demo/gatepost.toml") for line in lines)


def test_inbox_is_where_it_says(lines):
    assert any("http://127.0.0.1:8025/" in line for line in lines)
