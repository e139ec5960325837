"""What a supervised process and its supervisor owe each other: word when it is ready, an end when the other ends.

The supervisor leaves two environment variables; without them (a process started by hand) nothing happens.
"""

import ctypes
import os
import signal
from collections.abc import MutableMapping
from typing import Final

READY_VARIABLE: Final = "GATEPOST_READY_FD"
SUPERVISOR_VARIABLE: Final = "GATEPOST_SUPERVISOR_PID"

_PR_SET_PDEATHSIG: Final = 1


def end_with_supervisor(environment: MutableMapping[str, str]) -> None:
    """Have the kernel send SIGTERM, a drain, to this process when its supervisor dies; call first thing.

    Raises:
        SystemExit: It has died already.
    """
    supervisor = environment.pop(SUPERVISOR_VARIABLE, "")
    if not supervisor:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(supervisor):
        raise SystemExit(0)


def tell_ready(environment: MutableMapping[str, str]) -> None:
    """Tell the supervisor that this process does its work now."""
    descriptor = environment.pop(READY_VARIABLE, "")
    if not descriptor:
        return
    try:
        os.write(int(descriptor), b"r")
    except BrokenPipeError:
        return
    finally:
        os.close(int(descriptor))
