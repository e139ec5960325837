"""Size budgets: a file of 500 lines or a function of 50 has more than one reason to change."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 50

# Where one thing is longer: the path, and why it is one thing.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def python_files():
    return [path for folder in ("src", "tools", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def long_files():
    return {
        str(path.relative_to(ROOT)): lines
        for path in python_files()
        if (lines := path.read_text(encoding="utf-8").count("\n")) > MAX_FILE_LINES
    }


def long_functions():
    return {
        f"{path.relative_to(ROOT)}:{node.name}": length
        for path in python_files()
        for node in functions(ast.parse(path.read_text(encoding="utf-8")))
        if (length := node.end_lineno - node.lineno + 1) > MAX_FUNCTION_LINES
    }


def test_no_file_is_too_long():
    assert long_files().keys() == LONG_FILES.keys()


def test_no_function_is_too_long():
    assert long_functions().keys() == LONG_FUNCTIONS.keys()


def test_the_check_sees_functions_inside_classes():
    assert functions(ast.parse("class A:\n  async def f(self):\n    pass"))


@pytest.mark.parametrize("reasons", [LONG_FILES, LONG_FUNCTIONS], ids=["files", "functions"])
def test_every_exception_has_a_reason(reasons):
    assert all(reasons.values())
