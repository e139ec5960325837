"""What imports cannot show about the pure layers."""

import ast

import pytest

PURE = ("primitives", "standards")
CLOCKS = {"now", "today", "utcnow"}


def impurities(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)):
            yield node.lineno, "async"
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "open":
                yield node.lineno, "open("
            elif isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
                yield node.lineno, f".{node.func.attr}("


def test_pure_layers_do_not_wait_open_or_look_at_the_clock(trees):
    pure = {path: tree for path, tree in trees.items() if path.parts[0] in PURE}

    assert len(pure) > 10
    assert [(str(path), *impurity) for path, tree in pure.items() for impurity in impurities(tree)] == []


@pytest.mark.parametrize(
    "code",
    ["async def f(): pass", "open('x')", "datetime.now()", "date.today()"],
)
def test_the_check_sees_what_it_looks_for(code):
    assert list(impurities(ast.parse(code)))
