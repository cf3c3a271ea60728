"""The data folder: everything that a system of one command keeps, and a lock so that only one launcher has it."""

import fcntl
from pathlib import Path
from typing import TextIO

from seating.config import InvalidSettings


def lock(data_dir: Path) -> TextIO:
    """Held for as long as the file is open. Raises InvalidSettings if another launcher holds it."""
    holder = (data_dir / "launcher.lock").open("w")
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder.close()
        raise InvalidSettings(f"SEATING_DATA_DIR: another launcher runs on {data_dir}") from None
    return holder
