"""Loaded by the interpreter of every process of a relay under test, when this folder is on its PYTHONPATH.

GATEPOST_FAULT_HOOKS names what to change before the program starts: ``hurry`` shortens pauses that a test would
otherwise wait for; every other name is a deliberately broken build (``mutants.py``).
"""

import os
import sys

names = [name for name in os.environ.get("GATEPOST_FAULT_HOOKS", "").split(",") if name]
if names:
    # An error here must not leave the program as it is, unnoticed: the interpreter would go on without this file.
    try:
        import mutants

        for name in names:
            mutants.MUTANTS[name]()
    except Exception as error:
        print(f"a fault hook failed: {error!r}", file=sys.stderr, flush=True)
        os._exit(70)
