"""What a tree of processes costs, seen from outside."""

import subprocess
import sys

import pytest
from benchmarks.footprint import MIB, find_tree, read_memory, read_processor_seconds

# A process that starts a child, which works for 0.3 s of processor time and ends; then it says so and waits.
PARENT = """
import subprocess, sys
work = "import time\\nwhile time.process_time() < 0.3: pass"
subprocess.run([sys.executable, "-c", work], check=True)
ballast = b"x" * (64 << 20)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent():
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield process.pid
    process.communicate(timeout=10)


def test_the_processor_time_of_children_that_have_ended_counts(parent):
    assert read_processor_seconds([parent]) >= 0.3


def test_memory_is_what_the_tree_holds(parent):
    memory = read_memory([parent])

    assert 64 * MIB < memory.proportional <= memory.resident < 128 * MIB


def test_a_process_named_twice_counts_once(parent):
    assert [process.pid for process in find_tree([parent, parent])] == [parent]


def test_a_process_that_has_gone_costs_nothing():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(10)

    assert read_processor_seconds([gone.pid]) == 0
