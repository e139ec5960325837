import json

import msgspec
import pytest

from gatepost.entrypoints.operations import control_protocol as protocol
from gatepost.mailflow.queue.recipient import Predicate, RecipientState
from gatepost.primitives.ids import AccountId, KeyId

EVERYTHING = Predicate(account_id=AccountId("acc_1"), key_id=KeyId("k"), domain="a.example", state=RecipientState.HELD)


@pytest.mark.parametrize(
    "request_",
    [
        protocol.Refresh(),
        protocol.Barrier(),
        protocol.Reload(),
        protocol.AskStatus(),
        protocol.Stop(),
        protocol.Hold(which=protocol.Which.from_predicate(EVERYTHING), reason="key revoked"),
        protocol.Release(which=protocol.Which(domain="a.example")),
        protocol.Remove(which=protocol.Which(key_id=KeyId("k")), reason="spam"),
    ],
    ids=lambda request: type(request).__name__,
)
def test_request_is_one_line_and_is_read_back(request_):
    line = protocol.encode_line(request_)

    assert line.count(b"\n") == 1
    assert protocol.decode_request(line) == request_


@pytest.mark.parametrize(
    "answer",
    [
        protocol.Done(count=3, notes=("a",)),
        protocol.Refused(reason="no\nroom"),
        protocol.WorkerStatus(index=0, pid=1, state="ready", recipients={"queued": 2}),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_answer_is_one_line_and_is_read_back(answer):
    line = protocol.encode_line(answer)

    assert line.count(b"\n") == 1
    assert protocol.decode_answer(line) == answer


def test_predicate_travels_whole():
    assert protocol.Which.from_predicate(EVERYTHING).to_predicate() == EVERYTHING


@pytest.mark.parametrize(
    "line",
    [
        pytest.param({"request": "hold", "which": {}, "reason": "x"}, id="everything, by an empty predicate"),
        pytest.param({"request": "hold", "which": {"domian": "a"}, "reason": "x"}, id="misspelt field"),
        pytest.param({"request": "hold", "which": {"domain": "a"}}, id="no reason"),
        pytest.param({"request": "format"}, id="unknown request"),
        pytest.param({"request": "refresh", "key": "k"}, id="unknown field"),
        pytest.param([], id="no object"),
    ],
)
def test_request_that_is_not_exactly_one_is_refused(line):
    with pytest.raises(msgspec.DecodeError):
        protocol.decode_request(json.dumps(line).encode())
