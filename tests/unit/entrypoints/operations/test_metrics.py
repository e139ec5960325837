from starlette.requests import Request

from gatepost.entrypoints.operations.metrics import expose, metrics_route


def test_nothing_counted_is_an_empty_exposition(tmp_path):
    assert expose(tmp_path) == b""


def test_route_answers_in_the_text_format(tmp_path):
    route = metrics_route(tmp_path)

    answer = route.endpoint(Request({"type": "http", "method": "GET", "headers": []}))

    assert route.path == "/metrics"
    assert answer.headers["content-type"].startswith("text/plain; version=")
