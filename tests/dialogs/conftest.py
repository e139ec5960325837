"""Lets the tests of this folder, and those that drive real sockets with the same files, import the parser and owner."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
