"""A zone as a dictionary, and a way to run an evaluation against it."""

from collections.abc import Callable, Generator, Mapping
from typing import TypeVar

import pytest

from gatepost.standards.dns.question import Answer, AnswerStatus, Question
from gatepost.standards.dns.records import Record

R = TypeVar("R")
Zone = Mapping[tuple[str, str], "tuple[Record, ...] | AnswerStatus"]


@pytest.fixture(scope="session")
def ask() -> Callable[[Generator[Question, Answer, R], Zone], R]:
    """Answer from (name, type) → records or a status; what the zone lacks does not exist."""

    def run(evaluation: Generator[Question, Answer, R], zone: Zone) -> R:
        try:
            question = next(evaluation)
            while True:
                held = zone.get((question.name, question.type.value), AnswerStatus.NO_NAME)
                if isinstance(held, AnswerStatus):
                    answer = Answer(status=held, detail="timed out" if held is AnswerStatus.FAILED else "")
                else:
                    answer = Answer(status=AnswerStatus.FOUND, records=held)
                question = evaluation.send(answer)
        except StopIteration as stop:
            return stop.value

    return run
