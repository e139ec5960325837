"""The settings reference says what the settings are."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_settings_reference_is_fresh():
    spec = importlib.util.spec_from_file_location("settings_reference", ROOT / "tools" / "settings_reference.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    assert tool.REFERENCE.read_text(encoding="utf-8") == tool.render(), "run tools/settings_reference.py"
