"""The OpenAPI document says what the operations are."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_openapi_document_is_fresh():
    spec = importlib.util.spec_from_file_location("openapi", ROOT / "tools" / "openapi.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    assert tool.REFERENCE.read_text(encoding="utf-8") == tool.render(), "run tools/openapi.py"
