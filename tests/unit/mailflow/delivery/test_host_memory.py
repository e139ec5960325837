from gatepost.mailflow.delivery.host_memory import REMEMBERED_SECONDS, HostMemory
from gatepost.mailflow.delivery.route import NextHop

A, B, C = (NextHop(host=name, address=f"192.0.2.{number}", port=25) for number, name in enumerate("abc"))


def test_a_host_that_failed_is_tried_last_for_a_while() -> None:
    memory = HostMemory()
    memory.note_failure(A, 100)

    assert memory.order([A, B, C], 101) == [B, C, A]
    assert memory.order([A, B, C], 100 + REMEMBERED_SECONDS) == [A, B, C]


def test_where_all_failed_the_order_stands() -> None:
    memory = HostMemory()
    for hop in (C, A, B):
        memory.note_failure(hop, 100)

    assert memory.order([A, B, C], 101) == [A, B, C]


def test_a_success_is_remembered_at_once() -> None:
    memory = HostMemory()
    memory.note_failure(A, 100)
    memory.note_success(A)

    assert memory.order([A, B], 101) == [A, B]


def test_the_oldest_failures_are_forgotten_beyond_the_bound() -> None:
    memory = HostMemory(bound=2)
    for hop in (A, B, A, C):
        memory.note_failure(hop, 100)

    assert memory.order([B, A, C], 101) == [B, A, C]
    assert memory.order([A, B], 101) == [B, A]
