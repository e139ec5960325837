"""What a command or a worker must not wait for: each imports what it uses, and nothing else of weight.

Names instead of seconds, which a busy machine would falsify. What stands here takes from 5 to 100 ms each.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
DELIVERY = {"gatepost.mailflow.delivery.attempt", "gatepost.network.smtp_connection", "uvloop"}
API = {"starlette", "uvicorn", "gatepost.entrypoints.api.endpoint"}
STORE = {"sqlalchemy", "sqlite3"}
RARE = {"webauthn", "confusable_homoglyphs", "publicsuffixlist", "gatepost.entrypoints.api.openapi"}
SERVICE = {"structlog", "prometheus_client", "alembic", "dns", *DELIVERY, *API, *RARE}
"""What a command that opens the control plane has no use for."""

OPEN = "gatepost.runtime.compose_commands gatepost.runtime.settings_loader"


@pytest.mark.parametrize(
    ("modules", "forbidden"),
    [
        pytest.param(
            "gatepost.__main__ gatepost.cli.main",
            {*SERVICE, *STORE, "msgspec", "cryptography", "asyncio", "gatepost.runtime"},
            id="the table of commands",
        ),
        pytest.param(f"gatepost.cli.account {OPEN}", SERVICE, id="account"),
        pytest.param(f"gatepost.cli.key {OPEN}", SERVICE, id="key"),
        pytest.param("gatepost.cli.queue gatepost.runtime.compose_workers", SERVICE - {"dns"}, id="queue"),
        pytest.param("gatepost.cli.init", {*SERVICE - {"alembic", "dns"}}, id="init"),
        pytest.param("gatepost.cli.serve", SERVICE - {"prometheus_client"} | {"sqlalchemy"}, id="the supervisor"),
        pytest.param("gatepost.cli.worker", SERVICE - {"uvloop"} | STORE, id="a worker before its role is known"),
        pytest.param(
            "gatepost.runtime.mail_process",
            {"webauthn", "confusable_homoglyphs", "alembic", "gatepost.network.dns_update", "gatepost.cli"},
            id="a mail worker",
        ),
        pytest.param("gatepost.runtime.web_process", {"sqlalchemy", "cryptography", "dns", *RARE}, id="the web worker"),
        pytest.param("gatepost.runtime.jobs_process", {*API, *RARE, "alembic"}, id="the jobs worker"),
    ],
)  # fmt: skip
def test_nobody_imports_what_only_others_use(modules: str, forbidden: set[str]) -> None:
    assert not forbidden & imported_by(modules)


def imported_by(modules: str) -> set[str]:
    script = f"import sys, {', '.join(modules.split())}; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    return set(done.stdout.split())
