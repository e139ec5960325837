import pytest
from benchmarks.stages import REST, find_stage, render_stages, share_out

ATTEMPT = "thread (1): MainThread;run (asyncio/runners.py:1);Attempts._send (gatepost/mailflow/delivery/attempt.py:9)"


@pytest.mark.parametrize(
    ("stack", "stage"),
    [
        pytest.param(ATTEMPT, "attempt: route, pool, tasks", id="its own frame"),
        pytest.param(f"{ATTEMPT};loads (json/decoder.py:3)", "attempt: route, pool, tasks", id="a library below it"),
        pytest.param(
            f"{ATTEMPT};OutgoingCopies.make (gatepost/mailflow/delivery/outgoing.py:1);"
            "sign_digest (gatepost/standards/dkim/sign.py:4)",
            "make signatures",
            id="the innermost stage",
        ),
        pytest.param("thread (1): MainThread;Runner.run (asyncio/runners.py:118)", REST, id="nobody's"),
    ],
)
def test_a_sample_belongs_to_its_innermost_stage(stack, stage):
    assert find_stage(stack) == stage


def test_a_threads_processor_time_is_divided_by_what_it_was_seen_at():
    other = "thread (2): write shard-0.db;Writer.run (gatepost/storage/queue_sqlite/writer.py:1)"
    samples = [f"{ATTEMPT} 3", f"{ATTEMPT};x (y.py:1) 1", "thread (1): MainThread;idle (z.py:1) 4", f"{other} 100"]

    assert share_out(samples, {1: 8.0, 2: 1.0, 3: 0.5}) == {
        "attempt: route, pool, tasks": 4.0,
        REST: 4.5,  # the third thread was never seen
        "commit: SQLite's thread": 1.0,
    }


def test_table_gives_each_stage_its_share_of_a_message():
    table = render_stages({"attempt: route, pool, tasks": 0.5, REST: 1.5}, 0.001)

    assert [line.split()[-3:] for line in table.splitlines() if "attempt" in line] == [["25.0%", "250", "us"]]
    assert [line.split()[-3:] for line in table.splitlines() if REST in line] == [["75.0%", "750", "us"]]
