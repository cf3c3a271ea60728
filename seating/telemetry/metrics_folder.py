"""A folder for the metrics files of one web instance: several may share a data folder."""

import fcntl
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

_LOCK = "lock"


@cache
def claim(parent: Path) -> Path:
    """Create the folder of this instance in `parent`, the same one at each call; remove those of ended instances.

    It is this instance's until the last of its processes has ended. Files are named by process ids, which instances in
    different containers may share.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / _LOCK).open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)  # No other instance is between creating its folder and locking it.
        for folder in parent.iterdir():
            if folder.is_dir() and (lock := _try_lock(folder)) is not None:
                shutil.rmtree(folder)
                os.close(lock)
        own = Path(tempfile.mkdtemp(prefix="instance-", dir=parent))
        if _try_lock(own) is None:
            raise RuntimeError(f"{own} is locked")
    return own


def _try_lock(folder: Path) -> int | None:
    """Return a file descriptor that locks the folder while it is open; None if another instance has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
