"""Every module has the unit test of its name, and every unit test its module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "gatepost"
UNIT = ROOT / "tests" / "unit"

# Modules of values and ports: there is nothing in them that could be wrong by itself.
VALUES = {
    "primitives/clock.py",
    "primitives/entropy.py",
    "mailflow/envelope.py",
    "mailflow/events/event.py",
    "mailflow/queue/ports.py",
    "mailflow/submission/ports.py",
    "mailflow/submission/submission.py",
    "standards/dns/question.py",
    "standards/dns/records.py",
    "standards/smtp/events.py",
    "tenancy/access/principal.py",
    "tenancy/accounts/account.py",
    "tenancy/senders/domain.py",
    "tenancy/senders/ports.py",
}

# Where a unit test would only repeat the code: what tests it, and why there.
ELSEWHERE = {
    "__main__.py": ("tests/scenarios/test_serve.py", "is the program's start"),
    "runtime/process.py": ("tests/scenarios/test_serve.py", "sets up a whole process"),
    "runtime/service.py": ("tests/scenarios/test_serve.py", "starts processes"),
    "runtime/supervisor.py": ("tests/scenarios/test_supervisor.py", "means nothing without real children"),
    "runtime/worker_process.py": ("tests/scenarios/test_serve.py", "is what a process runs"),
    "cli/demo/command.py": ("tests/scenarios/test_demo.py", "starts and ends everything"),
    "cli/demo/stage.py": ("tests/scenarios/test_demo.py", "starts everything"),
    "cli/demo/relay.py": ("tests/scenarios/test_demo.py", "starts processes"),
    "cli/demo/ledger.py": ("tests/scenarios/test_demo.py", "reads what a running relay writes"),
    "cli/demo/inbox/receiver.py": ("tests/scenarios/test_demo.py", "listens"),
    "cli/serve.py": ("tests/scenarios/test_serve.py", "starts processes"),
    "cli/worker.py": ("tests/scenarios/test_serve.py", "is a process"),
}

# Laid out before their tests: the list may only shrink.
AWAITED = {
    "mailflow/content.py",
    "mailflow/queue/recipient.py",
    "mailflow/submission/policy.py",
    "standards/address.py",
    "standards/dkim/sign.py",
    "standards/message/header.py",
    "standards/smtp/replies.py",
}


def module_paths():
    return {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py" and "versions" not in path.parts
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
    assert module_paths() - paths_with_a_test() - VALUES - ELSEWHERE.keys() - AWAITED == set()


def test_every_unit_test_has_its_module():
    assert paths_with_a_test() - module_paths() == set()


def test_no_exception_has_outlived_its_reason():
    missing_modules = (VALUES | ELSEWHERE.keys() | AWAITED) - module_paths()
    tested_by_now = (ELSEWHERE.keys() | AWAITED) & paths_with_a_test()

    assert (missing_modules, tested_by_now) == (set(), set())


@pytest.mark.parametrize("path", sorted(VALUES))
def test_values_and_ports_hold_no_behaviour(path):
    assert not holds_behaviour(ast.parse((PACKAGE / path).read_text(encoding="utf-8")))


@pytest.mark.parametrize(("test", "reason"), sorted(set(ELSEWHERE.values())))
def test_what_is_tested_elsewhere_is(test, reason):
    assert (ROOT / test).is_file()
    assert reason


def test_the_check_tells_behaviour_from_a_port():
    assert holds_behaviour(ast.parse("class A:\n  def f(self):\n    return 1"))
    assert not holds_behaviour(ast.parse('class A:\n  def f(self):\n    """Doc."""\n    ...'))
