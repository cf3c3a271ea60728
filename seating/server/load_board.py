"""The number of connections of each process, in shared memory, so that the less loaded ones accept first."""

import mmap
from typing import Final

_NOBODY: Final = -1
_LEAD: Final = 4
"""How many connections more than the least loaded process a process may have before it gives way."""


class LoadBoard:
    """Created by the master before it forks."""

    def __init__(self, processes: int) -> None:
        slots = 2 * processes  # While processes are being replaced, there are more of them.
        self._counts = memoryview(mmap.mmap(-1, 4 * slots)).cast("i")
        self._ages = memoryview(mmap.mmap(-1, 4 * slots)).cast("i")
        for slot in range(slots):
            self._counts[slot] = _NOBODY

    def place(self, age: int) -> "BoardPlace":
        """Return the place of the `age`th process that gunicorn started."""
        return BoardPlace(self._counts, self._ages, age)


class BoardPlace:
    """A process's place on the board. Only that process writes to it, and the master once it is dead."""

    def __init__(self, counts: "memoryview[int]", ages: "memoryview[int]", age: int) -> None:
        self._counts = counts
        self._ages = ages
        self._age = age
        self._slot = age % len(counts)
        self._left = False

    def put(self, connections: int) -> None:
        if not self._left:
            self._ages[self._slot] = self._age
            self._counts[self._slot] = connections

    def leave(self) -> None:
        """Stop being counted: this process accepts no more connections."""
        # A connection that ends later must not put this process back on the board.
        self._left = True
        self._counts[self._slot] = _NOBODY

    def youngest(self) -> int:
        """Return which of the processes that accept connections was started last, as its number."""
        pairs = zip(self._ages, self._counts, strict=True)
        return max((age for age, count in pairs if count > _NOBODY), default=0)

    def leads(self) -> bool:
        """Return whether this process has enough more connections than another to give way."""
        mine = self._counts[self._slot]
        return any(_NOBODY < count < mine - _LEAD for count in self._counts)
