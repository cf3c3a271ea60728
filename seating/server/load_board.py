"""The number of connections of each process, in shared memory, so that the less loaded ones accept first."""

import mmap
from typing import Final

_NOBODY: Final = -1
"""The count where no process accepts connections; one that loads may have the place."""
_FREE: Final = 0  # gunicorn counts its processes from 1.
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

    def has_room_for(self, processes: int) -> bool:
        return len(self._ages) >= 2 * processes

    def place(self, age: int) -> "BoardPlace":
        """Give the `age`th process that gunicorn starts a free place, or that of the oldest one, which is replaced."""
        slot = min(range(len(self._ages)), key=self._ages.__getitem__)
        self._counts[slot], self._ages[slot] = _NOBODY, age
        return BoardPlace(self._counts, self._ages, slot, age)


class BoardPlace:
    """A process's place on the board. Only that process writes to it, and the master once it is dead."""

    def __init__(self, counts: "memoryview[int]", ages: "memoryview[int]", slot: int, age: int) -> None:
        self._counts = counts
        self._ages = ages
        self._slot = slot
        self._age = age

    def put(self, connections: int) -> None:
        # A connection that ends after this process has left must not change the count of the next one here.
        if self._ages[self._slot] == self._age:
            self._counts[self._slot] = connections

    def leave(self) -> None:
        """Stop being counted, and free the place: this process accepts no more connections."""
        if self._ages[self._slot] == self._age:
            self._counts[self._slot], self._ages[self._slot] = _NOBODY, _FREE

    def youngest(self) -> int:
        """Return which of the processes that accept connections was started last, as its number."""
        pairs = zip(self._ages, self._counts, strict=True)
        return max((age for age, count in pairs if count > _NOBODY), default=0)

    def leads(self) -> bool:
        """Return whether this process has enough more connections than another to give way."""
        mine = self._counts[self._slot]
        return any(_NOBODY < count < mine - _LEAD for count in self._counts)
