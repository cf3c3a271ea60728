"""A file that has the errors alone, with stack traces, written by all processes and rotated by size and number."""

import fcntl
import logging
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

NAME: Final = "errors.log"
_LONGEST_TRACE: Final = 32_000
"""Characters. What is beyond it is cut at the front: the error itself stands at the end."""
_LOGGING: Final = (str(Path(__file__).parent), str(Path(structlog.__file__).parent), str(Path(logging.__file__).parent))
"""Folders of the files through which an event is logged."""


class ErrorFile:
    """`errors.log` in a folder, with at most `kept` files of about `max_bytes` in total: `errors.log.1` is the newest.

    Any number of processes may write. Errors are rare, so each opens the file anew, and none has to notice that another
    has rotated it.
    """

    def __init__(self, folder: Path, max_bytes: int, kept: int) -> None:
        self._path = folder / NAME
        self._max_bytes = max_bytes
        self._kept = kept

    def write(self, line: bytes) -> None:
        """Append a line in one write, which no other process's line interrupts. Raises OSError."""
        with self._path.open("ab", buffering=0) as file:
            file.write(line + b"\n")
            is_full = file.tell() >= self._max_bytes
        if is_full:
            self._rotate()

    def _rotate(self) -> None:
        with self._path.with_suffix(".lock").open("ab") as lock:
            try:
                # Do not wait: a process that was stopped may have it. The next error rotates.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            with suppress(FileNotFoundError):  # Another process was faster, and no error has followed.
                if self._path.stat().st_size < self._max_bytes:
                    return
                if self._kept == 1:
                    self._path.unlink()
                    return
                for number in range(self._kept - 2, 0, -1):
                    with suppress(FileNotFoundError):
                        self._numbered(number).replace(self._numbered(number + 1))
                self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{NAME}.{number}")


def trace_of(error: Any) -> dict[str, str]:
    """Return the stack trace to write with an error: that of `error`, of what is handled now, or where we are.

    `error` is what callers pass as `exc_info`: an exception, true for the current one, or its three parts.
    """
    if isinstance(error, tuple):
        error = error[1]
    if not isinstance(error, BaseException):
        error = sys.exception()
    if error is None:
        frames = traceback.extract_stack()
        while frames and frames[-1].filename.startswith(_LOGGING):
            frames.pop()
        return {"stack": "".join(frames.format())[-_LONGEST_TRACE:]}
    return {"exception": "".join(traceback.format_exception(error))[-_LONGEST_TRACE:]}
