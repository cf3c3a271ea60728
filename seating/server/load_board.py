"""How many connections each process has, in memory that they share, so that none takes what another has room for."""

import mmap
from typing import Final

_NOBODY: Final = -1
_LEAD: Final = 4
"""How many connections more than the least loaded process one may have before it gives way."""


class LoadBoard:
    """Made by the master before it forks."""

    def __init__(self, processes: int) -> None:
        slots = 2 * processes  # While processes are replaced there are more of them.
        self._counts = memoryview(mmap.mmap(-1, 4 * slots)).cast("i")
        for slot in range(slots):
            self._counts[slot] = _NOBODY

    def place(self, age: int) -> "Place":
        """For the process that gunicorn started as its `age`th."""
        return Place(self._counts, age % len(self._counts))


class Place:
    """Of one process on the board. It alone writes there, and the master once it is dead."""

    def __init__(self, counts: "memoryview[int]", slot: int) -> None:
        self._counts = counts
        self._slot = slot
        self._left = False

    def put(self, connections: int) -> None:
        if not self._left:
            self._counts[self._slot] = connections

    def leave(self) -> None:
        """It takes no more connections."""
        self._left = True
        self._counts[self._slot] = _NOBODY

    def leads(self) -> bool:
        """Whether another process has room for the next connection sooner."""
        mine = self._counts[self._slot]
        return any(_NOBODY < count < mine - _LEAD for count in self._counts)
