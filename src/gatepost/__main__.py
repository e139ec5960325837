"""``python -m gatepost``: the command line; the supervisor starts its children this way."""

import sys

from gatepost.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
