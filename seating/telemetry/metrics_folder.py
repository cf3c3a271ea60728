"""A folder for the metrics files of one web instance: several may share a data folder."""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import structlog

_LOCK = "lock"
_SPEAKER = "speaker"
_RESERVED_BYTES: Final = 512 * 1024
"""Of each file: six times what a busy process was seen to need."""


class Speaker:
    """The one process of an instance that speaks for all of them; when it ends, another one takes over."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` is the instance's; None for a process that is an instance by itself."""
        self.instance = folder.name if folder else f"process-{secrets.token_hex(8)}"
        self._file = folder / _SPEAKER if folder else None
        self._lock: int | None = None

    def is_mine(self) -> bool:
        """Return whether this process speaks. May block for a moment."""
        if self._file is None or self._lock is not None:
            return True
        self._file.touch()
        self._lock = _try_lock(self._file)
        return self._lock is not None

    def close(self) -> None:
        """Let another process speak."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


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
        # Kept open: the lock lasts until the last process that inherits it ends.
        if _try_lock(own) is None:
            raise RuntimeError(f"{own} is locked")
    return own


def current() -> Path | None:
    """Return the folder of the instance that this process belongs to; None if it counts only for itself."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


def reserve(folder: str | None, kinds: Sequence[str]) -> bool:
    """Create this process's files in `folder`, with blocks on disk. Return False without a folder, or without room.

    prometheus-client maps sparse files into memory. A process that writes to a page for which a full disk has no block
    gets SIGBUS and is gone. Without files a process counts for itself alone.
    """
    if folder is None:
        return False
    files = [Path(folder) / f"{kind}_{os.getpid()}.db" for kind in kinds]
    # A process that ended may have had the same id: its counts stay.
    new = [file for file in files if not file.exists()]
    try:
        for file in files:
            with file.open("ab") as growing:
                growing.write(bytes(max(_RESERVED_BYTES - growing.tell(), 0)))
    except OSError as error:
        for file in new:
            file.unlink(missing_ok=True)
        structlog.get_logger(__name__).warning("metrics not shared", error=error.strerror)
        return False
    return True


def _try_lock(path: Path) -> int | None:
    """Return a file descriptor that locks `path` while it is open; None if another process has locked it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Not lockf: a fork does not inherit its locks, and closing any descriptor of the file ends them.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
