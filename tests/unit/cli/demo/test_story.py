from datetime import timedelta

import pytest

from gatepost.cli.demo.story import COLUMNS, Step, Story, StoryEnded, Style, format_step
from gatepost.primitives.errors import Transient

PLAIN = Style(has_colour=False, has_unicode=True)


def test_step_is_one_aligned_line_of_a_hundred_columns():
    (line,) = format_step(Step(title="TLS", detail="TLSv1.3", took=timedelta(milliseconds=12)), PLAIN)

    assert line.startswith("  ✓ TLS             TLSv1.3 ")
    assert line.endswith("   12 ms")
    assert len(line) == COLUMNS


@pytest.mark.parametrize(
    ("took", "is_offset", "shown"),
    [(12, True, "+12 ms"), (1234, False, "1234 ms"), (12_345, False, "12 s"), (0, True, "+0 ms")],
)
def test_times_are_short(took, is_offset, shown):
    step = Step(title="a", detail="b", took=timedelta(milliseconds=took), is_offset=is_offset)

    assert format_step(step, PLAIN)[0].endswith(f" {shown}")


def test_long_detail_is_wrapped_under_itself():
    lines = format_step(Step(title="a", detail="word " * 40, took=timedelta()), PLAIN)

    assert len(lines) > 2
    assert all(len(line) <= COLUMNS for line in lines)
    assert all(line.startswith(" " * 20 + "word") for line in lines[1:])


def test_failed_step_says_what_to_do():
    lines = format_step(Step(title="a", detail="b", is_done=False, hint="do this"), PLAIN)

    assert lines[0].startswith("  ✗ a")
    assert lines[1].strip() == "→ do this"


def test_words_of_a_peer_cannot_move_the_cursor():
    (line,) = format_step(Step(title="a", detail="x\x1b[2Jy"), PLAIN)

    assert line.endswith("x\ufffd[2Jy")


def test_colours_and_marks_are_those_of_the_terminal():
    coloured = format_step(Step(title="a", detail="b"), Style(has_colour=True, has_unicode=False))

    assert "\x1b[32m+\x1b[0m" in coloured[0]


def test_block_is_told_with_its_detail_when_it_ends():
    lines = []
    story = Story(lines.append, PLAIN)

    with story.step("made") as detail:
        detail.append("it")

    assert lines[0].startswith("  ✓ made            it")
    assert not story.has_failed


def test_block_that_fails_ends_the_story():
    lines = []
    story = Story(lines.append, PLAIN)

    with pytest.raises(StoryEnded), story.step("made", hint="look there"):
        raise Transient("no room")

    assert "✗ made            no room" in lines[0]
    assert "→ look there" in lines[1]
    assert story.has_failed


def test_mistake_of_ours_is_not_hidden():
    with pytest.raises(KeyError), Story(print, PLAIN).step("made"):
        raise KeyError


def test_chapters_remarks_and_lines_are_told():
    lines = []
    story = Story(lines.append, PLAIN)

    story.chapter("One")
    story.note("by the way")
    story.say()

    assert lines == ["", "One", "    by the way", ""]
