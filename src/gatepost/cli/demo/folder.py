"""The demo's folder: made anew each time, and only ever wiped if a demo made it."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import Final

from gatepost.primitives.errors import Misconfigured

MARKER: Final = ".gatepost-demo"
_MARKER_TEXT: Final = "gatepost demo made this folder and deletes everything in it when it starts again.\n"


def make_fresh_folder(folder: Path) -> int:
    """Make the folder, or empty it if a demo made it; return the descriptor that holds it while it is open.

    Raises:
        Misconfigured: It is somebody else's, or another demo runs in it.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise Misconfigured(f"{folder} is no folder: name another with --folder")
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
    elif not (folder / MARKER).is_file() and any(folder.iterdir()):
        raise Misconfigured(
            f"{folder} holds files that no demo made, and stays as it is: name another folder with --folder"
        )
    descriptor = _hold(folder)
    for path in folder.iterdir():
        if path.name == MARKER:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return descriptor


def _hold(folder: Path) -> int:
    descriptor = os.open(folder / MARKER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Misconfigured(
            f"another demo runs in {folder}: end it with Ctrl-C, or name another folder with --folder"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, _MARKER_TEXT.encode(), 0)
    return descriptor
