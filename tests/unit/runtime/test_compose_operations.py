import asyncio
import json

from starlette.requests import Request

from gatepost.runtime.compose_operations import compose_operations_app


def test_operations_app_has_health_and_metrics_and_nothing_else(settings):
    app = compose_operations_app(settings)

    assert {route.path for route in app.routes} == {"/health/live", "/health/ready", "/metrics"}


def test_readiness_asks_every_worker_and_no_shard_left_over_that_is_empty(settings):
    (settings.queue_dir / "shard-9.db").touch()
    route = next(route for route in compose_operations_app(settings).routes if route.path == "/health/ready")

    answer = asyncio.run(route.endpoint(Request({"type": "http", "method": "GET", "headers": []})))

    workers = json.loads(answer.body)["workers"]
    assert [worker["index"] for worker in workers] == [*range(settings.mail_worker_count)]
    assert answer.status_code == 503
