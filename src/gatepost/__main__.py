"""``gatepost`` and ``python -m gatepost``: the command line; the supervisor starts its children this way."""

import gc
import sys
from typing import Final

_OBJECTS_BETWEEN_COLLECTIONS: Final = 1_000_000


def run() -> int:
    """Run the command given on the command line; return the exit status.

    Importing makes some hundred thousand objects, all of which stay: the cycle collector, which looks after every 700,
    would take a fifth of a command's time and find nothing.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    from gatepost.cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
