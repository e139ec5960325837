import json

import pytest

from gatepost.cli.output import print_fields, print_json, print_json_line, print_table, printable

CASES = [
    ("plain text, ünïcödé 漢字", "plain text, ünïcödé 漢字"),
    ("\x1b[2J", "\\u001b[2J"),
    ("a\r\nb\tc", "a\\r\\nb\\tc"),
    ("\x7f\x9b", "\\u007f\\u009b"),
    ("\u202eevil", "\\u202eevil"),
    ("\U000e0001", "\\udb40\\udc01"),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=["plain", "escape", "lines", "C1", "direction", "astral"])
def test_a_terminal_is_given_nothing_to_obey(text, expected):
    assert printable(text) == expected


@pytest.mark.parametrize(
    "show",
    [
        print_json,
        print_json_line,
        lambda text: print_table([["H"], [text]]),
        lambda text: print_fields({"name": text}),
        lambda text: print_fields({"names": [text, text]}),
    ],
    ids=["json", "json line", "table", "fields", "list"],
)
@pytest.mark.parametrize("text", [text for text, _ in CASES], ids=range(len(CASES)))
def test_nothing_that_is_shown_drives_the_terminal(show, text, capsys):
    show(text)

    assert capsys.readouterr().out.replace("\n", "").isprintable()


@pytest.mark.parametrize("text", [text for text, _ in CASES], ids=range(len(CASES)))
def test_a_program_reads_what_was_meant(text, capsys):
    print_json({"a": [text]})
    print_json_line(text)

    document, _, line = capsys.readouterr().out.rstrip("\n").rpartition("\n")
    assert json.loads(document) == {"a": [text]}
    assert json.loads(line) == text


def test_columns_are_as_wide_as_what_is_shown_in_them(capsys):
    print_table([["A", "B"], ["\x1b", "x"], ["y", ""]])

    assert capsys.readouterr().out == "A       B\n\\u001b  x\ny\n"
