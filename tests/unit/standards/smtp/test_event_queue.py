import pytest

from gatepost.standards.smtp.event_queue import EventQueue
from gatepost.standards.smtp.events import ContentEnded, ContentReceived, SessionEnded, TransactionAborted


def take_all(queue: EventQueue) -> list[object]:
    return [queue.take() for _ in range(len(queue))]


def test_events_come_out_in_order() -> None:
    queue = EventQueue()
    queue.tell(ContentReceived(b"a"))
    queue.ask(ContentEnded())

    assert take_all(queue) == [ContentReceived(b"a"), ContentEnded()]
    assert queue.take() is None


def test_what_is_asked_stays_asked_until_it_is_answered() -> None:
    queue = EventQueue()
    queue.ask(ContentEnded())
    queue.take()

    assert queue.asked == ContentEnded()
    assert queue.answer() == ContentEnded()
    assert queue.asked is None


def test_an_answer_to_nothing_is_a_mistake_of_the_owner() -> None:
    with pytest.raises(RuntimeError, match="no decision is due"):
        EventQueue().answer()


@pytest.mark.parametrize(
    ("waiting", "aborts", "told"),
    [
        pytest.param([], False, [SessionEnded()], id="nothing open"),
        pytest.param([], True, [TransactionAborted(), SessionEnded()], id="a transaction open"),
        pytest.param([ContentReceived(b"a")], True, [TransactionAborted(), SessionEnded()], id="content not taken yet"),
        pytest.param([TransactionAborted()], False, [TransactionAborted(), SessionEnded()], id="an abort not told yet"),
    ],
)
def test_the_end_overtakes_all_but_an_abort(waiting, aborts, told) -> None:
    queue = EventQueue()
    for event in waiting:
        queue.tell(event)
    queue.ask(ContentEnded())

    queue.end(aborts_transaction=aborts)

    assert take_all(queue) == told
    assert queue.asked is None
