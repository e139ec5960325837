import asyncio
import json
from datetime import timedelta

from starlette.requests import Request

from gatepost.network.certificates import CertificateFiles, read_certificate
from gatepost.runtime.compose import compose_operations_app, diagnose, make_first_certificate


def test_operations_app_has_health_and_metrics_and_nothing_else(settings):
    app = compose_operations_app(settings)

    assert {route.path for route in app.routes} == {"/health/live", "/health/ready", "/metrics"}


def test_readiness_asks_every_worker_and_every_shard_left_over(settings):
    (settings.queue_dir / "shard-9.db").touch()
    route = next(route for route in compose_operations_app(settings).routes if route.path == "/health/ready")

    answer = asyncio.run(route.endpoint(Request({"type": "http", "method": "GET", "headers": []})))

    workers = json.loads(answer.body)["workers"]
    assert [worker["index"] for worker in workers] == [*range(settings.mail_worker_count), 9]
    assert answer.status_code == 503


def test_first_certificate_is_for_the_host_name_and_makes_its_folder(settings, tmp_path):
    files = CertificateFiles(chain=tmp_path / "tls" / "c.pem", private_key=tmp_path / "tls" / "k.pem")

    make_first_certificate(settings, files, valid_for=timedelta(days=1))

    assert read_certificate(files.chain).covers(settings.host_name)


def test_diagnosis_looks_at_every_subject(settings):
    subjects = {finding.subject for finding in diagnose(settings)}

    assert {"state directory", "permissions", "certificate", "ports", "limits", "disk", "clock"} <= subjects
