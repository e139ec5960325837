"""Every module has the unit test of its name, and every unit test its module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "gatepost"
UNIT = ROOT / "tests" / "unit"

# Modules of values and ports: there is nothing in them that could be wrong by itself.
VALUES = {
    "cli/context.py",
    "entrypoints/smtp/connection_settings.py",
    "entrypoints/smtp/ports.py",
    "mailflow/envelope.py",
    "mailflow/events/event.py",
    "mailflow/submission/ports.py",
    "mailflow/submission/submission.py",
    "primitives/clock.py",
    "primitives/entropy.py",
    "standards/dns/question.py",
    "standards/dns/records.py",
    "standards/smtp/client_events.py",
    "standards/smtp/events.py",
    "standards/spf/result.py",
    "tenancy/access/ports.py",
    "tenancy/access/principal.py",
    "tenancy/accounts/account.py",
    "tenancy/accounts/ports.py",
    "tenancy/senders/domain.py",
    "tenancy/senders/ports.py",
}

# Where a unit test would only repeat the code: what tests it, and why there. A folder stands for all that is in it,
# whether or not some of it has unit tests too.
ELSEWHERE = {
    "__main__.py": ("tests/scenarios/test_serve.py", "is the program's start"),
    "cli/account.py": ("tests/contracts/control_plane", "is proved on the real control plane"),
    "cli/arguments.py": ("tests/contracts/control_plane", "is part of the commands"),
    "cli/certainty.py": ("tests/contracts/control_plane", "is part of the commands"),
    "cli/domain.py": ("tests/contracts/control_plane", "is proved on the real control plane"),
    "cli/key.py": ("tests/contracts/control_plane", "is proved on the real control plane"),
    "cli/migrate.py": ("tests/contracts/control_plane", "is proved on the real control plane"),
    "cli/output.py": ("tests/contracts/control_plane", "is part of the commands"),
    "cli/serve.py": ("tests/scenarios/test_serve.py", "starts processes"),
    "cli/worker.py": ("tests/scenarios/test_serve.py", "is a process"),
    "entrypoints/smtp/": ("tests/scenarios/submission", "is proved over real sockets and TLS"),
    "mailflow/delivery/attempt.py": ("tests/contracts/delivery", "awaits at every step"),
    "mailflow/delivery/router.py": ("tests/contracts/delivery", "asks a real nameserver"),
    "mailflow/delivery/worker.py": ("tests/contracts/delivery", "is proved on the real queue"),
    "network/": ("tests/contracts/delivery", "is proved over real sockets"),
    "runtime/compose_commands.py": ("tests/contracts/control_plane", "chooses; nothing else"),
    "runtime/compose_mail.py": ("tests/scenarios/test_serve.py", "chooses; nothing else"),
    "runtime/control_plane.py": ("tests/contracts/control_plane", "chooses; nothing else"),
    "runtime/process.py": ("tests/scenarios/test_serve.py", "sets up a whole process"),
    "runtime/service.py": ("tests/scenarios/test_serve.py", "starts processes"),
    "runtime/supervisor.py": ("tests/scenarios/test_supervisor.py", "means nothing without real children"),
    "runtime/worker_process.py": ("tests/scenarios/test_serve.py", "is what a process runs"),
    "storage/": ("tests/contracts", "is proved by the contracts of its ports, on the real engine"),
    "tenancy/access/principals.py": ("tests/contracts/control_plane", "is proved on the real store"),
}

# Laid out before their tests: the list may only shrink.
AWAITED = {
    "mailflow/content.py",
    "mailflow/delivery/ports.py",
    "mailflow/queue/fairness.py",
    "mailflow/queue/hold.py",
    "mailflow/queue/ports.py",
    "mailflow/queue/recipient.py",
    "mailflow/queue/retry.py",
    "mailflow/queue/states.py",
}


def is_tested_elsewhere(path):
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in ELSEWHERE)


def module_paths():
    return {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py" and "migrations" not in path.parts
    }


def paths_with_a_test():
    return {str(path.relative_to(UNIT).with_name(path.name.removeprefix("test_"))) for path in UNIT.rglob("test_*.py")}


def holds_behaviour(tree):
    """Whether a function does anything: has a body beyond its docstring and ``...``."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = [
                line for line in node.body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
            if body:
                return True
    return False


def test_every_module_has_its_unit_test():
    untested = module_paths() - paths_with_a_test() - VALUES - AWAITED

    assert [path for path in sorted(untested) if not is_tested_elsewhere(path)] == []


def test_every_unit_test_has_its_module():
    # A package may have one test of all it offers, named for it.
    packages = {
        str((path.parent / path.parent.name).relative_to(PACKAGE)) + ".py" for path in PACKAGE.rglob("__init__.py")
    }

    assert paths_with_a_test() - module_paths() - packages == set()


def test_no_exception_has_outlived_its_reason():
    single = {place for place in ELSEWHERE if not place.endswith("/")}

    assert (VALUES | single | AWAITED) - module_paths() == set(), "no such module"
    assert (single | AWAITED) & paths_with_a_test() == set(), "has its unit test by now: take it off the list"


@pytest.mark.parametrize("path", sorted(VALUES))
def test_values_and_ports_hold_no_behaviour(path):
    assert not holds_behaviour(ast.parse((PACKAGE / path).read_text(encoding="utf-8")))


@pytest.mark.parametrize(("test", "reason"), sorted(set(ELSEWHERE.values())))
def test_what_is_tested_elsewhere_is(test, reason):
    path = ROOT / test

    assert path.is_file() or list(path.glob("test_*.py"))
    assert reason


def test_the_check_tells_behaviour_from_a_port():
    assert holds_behaviour(ast.parse("class A:\n  def f(self):\n    return 1"))
    assert not holds_behaviour(ast.parse('class A:\n  def f(self):\n    """Doc."""\n    ...'))
